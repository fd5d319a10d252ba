import { writeFileSync } from 'node:fs'
import { GUIDE, optionsGuide } from './options-guide'

writeFileSync(GUIDE, optionsGuide())
