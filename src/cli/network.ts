import type { Arguments, Options } from './arguments'
import type { AttackSettings } from './attack'

/** The network that is attacked, and what the attack needs for it beside the options of every attack. */
export interface Network {
  readonly weightsInit: 'uniform' | 'default'
  readonly classes: number
  /** Weight of the total variation. */
  readonly tv: number
  /** Relative loss to stop at. */
  readonly tolerance: number
  readonly iterations: number
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
      help: 'of the total variation, which prefers smooth pictures (default 1e-7 with --weights-init default; with uniform 0, for batches and above 32 pixels 1e-5)',
    },
    tolerance: { value: 'X', help: 'relative loss to stop at (default 1e-14 with --weights-init default, else 1e-10)' },
  }) satisfies Options

/** @throws DlgError `invalid-option` */
export function network(
  args: Arguments,
  { preset }: AttackSettings,
  problem: { classes: number; size: number; batchSize: number },
): Network {
  const weightsInit = args.choice('weights-init', ['uniform', 'default'])
  const { tv, tolerance, iterations } = preset === 'paper' ? PAPER : tuned(weightsInit, problem)
  return {
    weightsInit,
    classes: problem.classes,
    tv: args.number('tv', 1e6) ?? tv,
    tolerance: args.number('tolerance', 0.999) ?? tolerance,
    iterations: args.has('iterations') ? args.whole('iterations', 1) : iterations,
  }
}

type Tuning = Pick<Network, 'tv' | 'tolerance' | 'iterations'>

const PAPER: Tuning = { tv: 0, tolerance: 1e-10, iterations: 300 }

/**
 * Measured on photographs. With PyTorch's weights the gradient hardly depends on the pixels: at 1e-10 it is matched by
 * blurred ones (64×64: 18 dB), at 1e-14 with a trace of total variation by the right ones (31 dB; four at 32×32: 26 to
 * 31 dB). With the paper's weights one image of 32×32 needs no prior; 64×64 does, and more steps (17 dB without, 31 dB
 * with), and so do batches.
 */
function tuned(weightsInit: Network['weightsInit'], { size, batchSize }: { size: number; batchSize: number }): Tuning {
  if (weightsInit === 'default') return { tv: 1e-7, tolerance: 1e-14, iterations: 300 }
  if (batchSize === 1 && size <= 32) return { tv: 0, tolerance: 1e-10, iterations: 300 }
  return { tv: 1e-5, tolerance: 1e-10, iterations: 1000 }
}
