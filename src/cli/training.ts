import { MATCHING } from '../attacks/matching/options'
import { type Given, type Records, upTo } from './flags'

/** Beyond it a batch is out of reach, and out of memory. */
const MOST = 1024

const { batchSize, criterion, lossWeights, output, reduction, training, dataRange, runtime, seed } = MATCHING

/** How the client trains: options of the call that only files need, as a client that the command plays is known. */
export const CLIENT = {
  batchSize: upTo(batchSize, MOST),
  criterion: { ...criterion, help: `the client's loss: ${criterion.flag.right.replaceAll(' or ', ', ')}` },
  lossWeights: {
    ...lossWeights,
    help: 'what the losses of several outputs count in their sum, in the order of the outputs',
  },
  output,
  reduction,
  training,
  dataRange,
} as const satisfies Records

/** What a check is told. */
export const CHECKED = {
  ...CLIENT,
  seed: { ...seed, help: 'of the random example and directions' },
  runtime,
} as const satisfies Records

export type Checked = Given<typeof CHECKED>
