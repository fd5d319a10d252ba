import type { LeakageOptions } from '../attacks/matching/options'
import type { Arguments, Options } from './arguments'

/** The network that is attacked, and what the attack needs for it beside the options of every attack. */
export interface Network {
  readonly weightsInit: 'uniform' | 'default'
  readonly classes: number
  /** Weight of the total variation; undefined leaves it to the attack, as the next. */
  readonly tv?: number
  /** Relative loss to stop at. */
  readonly tolerance?: number
  readonly batchUpdate?: 'together' | 'one-by-one'
}

/** @param weights the default of `--weights-init` */
export const networkOptions = (weights: Network['weightsInit']) =>
  ({
    'weights-init': {
      value: 'NAME',
      default: weights,
      help: "of the network: uniform, the paper's U(-0.5, 0.5); default, PyTorch's U(±1/√fan-in)",
    },
    tv: {
      value: 'WEIGHT',
      help: 'of the total variation, which prefers smooth pictures (default: eased from 1e-4; 1e-7 with --weights-init default)',
    },
    tolerance: {
      value: 'X',
      help: 'relative loss to stop at (default 1e-12; 1e-14 with --weights-init default)',
    },
  }) satisfies Options

/**
 * With PyTorch's weights the gradient hardly depends on the pixels, and the default prior must be eased five times before
 * they count: starting from a trace of it takes half the evaluations. The search has further to go.
 */
const FAINT = { tv: 1e-7, tolerance: 1e-14 }

/** @throws DlgError `invalid-option` */
export function network(args: Arguments, classes: number): Network {
  const weightsInit = args.choice('weights-init', ['uniform', 'default'])
  const tuned = weightsInit === 'default' && args.text('preset') !== 'paper' ? FAINT : undefined
  return {
    weightsInit,
    classes,
    tv: args.number('tv', 1e6) ?? tuned?.tv,
    tolerance: args.number('tolerance', 0.999) ?? tuned?.tolerance,
  }
}

/** What the network has the attack do differently. */
export const optionsFor = ({ tv, tolerance, batchUpdate }: Network): LeakageOptions => ({
  ...(tv !== undefined && { priors: { colorTotalVariation: tv } }),
  ...(tolerance !== undefined && { tolerance }),
  ...(batchUpdate !== undefined && { batchUpdate }),
})
