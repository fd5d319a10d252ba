import { writeFileSync } from 'node:fs'
import { SUPPORTED, supported } from './supported'

writeFileSync(SUPPORTED, await supported())
