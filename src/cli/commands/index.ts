import type { Command } from '../command'
import { attack } from './attack'
import { audit } from './audit'
import { batch } from './batch'
import { check } from './check'
import { cifar } from './cifar'
import { image } from './image'
import { report } from './report'
import { table } from './table'
import { text } from './text'
import { worker } from './worker'

/** In the order of the help. */
export const commands: readonly Command[] = [image, cifar, batch, text, table, attack, check, audit, worker, report]
