import type { Arguments, Options } from './arguments'
import { SIZES } from './read-image'
import type { PriorSettings, WeightsInit } from './tuning'

/** Options of photographs from files, and how many classes the network has for them. */
export const PHOTO_OPTIONS = {
  size: {
    value: 'PIXELS',
    default: '32',
    help: `the centre square is shrunk to this side, ${SIZES[0]} to ${SIZES[1]}; the paper has 32 and 64`,
  },
  classes: { value: 'N', default: '100', help: 'of the network' },
} as const satisfies Options

/** Options of the network, and of the prior that goes with it. */
export const networkOptions = (weights: WeightsInit) =>
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

export function network(args: Arguments): { weightsInit: WeightsInit; prior: PriorSettings } {
  return {
    weightsInit: args.choice('weights-init', ['uniform', 'default']),
    prior: { tv: args.number('tv', 1e6), tolerance: args.number('tolerance', 0.999) },
  }
}

export const imageSize = (args: Arguments): number => args.whole('size', ...SIZES)

export const classCount = (args: Arguments): number => args.whole('classes', 2, 100_000)
