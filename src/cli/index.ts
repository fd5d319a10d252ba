#!/usr/bin/env node
import { main } from './process'

await main(process.argv.slice(2))
