import type { LeakageOptions } from '../attacks/matching/options'
import type { Arguments, Options } from './arguments'

/** The network that is attacked. */
export interface Network {
  readonly weightsInit: 'uniform' | 'default'
  readonly classes: number
}

/**
 * With PyTorch's weights the gradient hardly depends on the pixels, and the default prior must be eased five times before
 * they count: starting from a trace of it takes half the evaluations. The search has further to go.
 */
const FAINT = { priors: { colorTotalVariation: 1e-7 }, tolerance: 1e-14 } as const

export const NETWORK_OPTIONS = {
  'weights-init': {
    value: 'NAME',
    default: 'uniform',
    help: `of the network: uniform, the paper's U(-0.5, 0.5); default, PyTorch's U(±1/√fan-in), with defaults --tv ${FAINT.priors.colorTotalVariation} --tolerance ${FAINT.tolerance}`,
  },
} as const satisfies Options

/** @throws DlgError `invalid-option` */
export const network = (args: Arguments, classes: number): Network => ({
  weightsInit: args.choice('weights-init', ['uniform', 'default']),
  classes,
})

/** Defaults of the search that the network asks for. */
export const defaultsFor = ({ weightsInit }: Network, { preset }: LeakageOptions): LeakageOptions =>
  weightsInit === 'default' && preset !== 'paper' ? FAINT : {}
