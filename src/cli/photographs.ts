import type { LeakageOptions } from '../attacks/matching/options'
import { DlgError } from '../errors/dlg-error'
import { type Image, readImage, toSquare } from '../io'
import type { Arguments, Options } from './arguments'
import type { PlayedSettings } from './attack'
import { OWN_DEFAULTS } from './flags'

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

/** Sizes of the network's input; below, its layers and the similarity index have nothing to work on. */
export const SIZES = [12, 256] as const

/** Options of photographs from files, and how many classes the network has for them. */
export const PHOTO_OPTIONS = {
  size: {
    value: 'PIXELS',
    default: '32',
    help: `the centre square is shrunk to this side, ${SIZES[0]} to ${SIZES[1]}; the paper has 32 and 64`,
  },
  classes: { value: 'N', default: '100', help: 'of the network' },
} as const satisfies Options

export const imageSize = (args: Arguments): number => args.whole('size', ...SIZES)

export const classCount = (args: Arguments): number => args.whole('classes', 2, 100_000)

/** The class of a photograph for which none is given: the seed modulo the classes, and those that follow. */
export function defaultClass({ options }: PlayedSettings, photograph: number, classes: number): number {
  const { seed = OWN_DEFAULTS.seed } = options
  return (((seed + photograph) % classes) + classes) % classes
}

/** Above, a photograph takes seconds and gigabytes to decode only to be shrunk to a thumbnail. */
const MAX_PIXELS = 16_000_000

/**
 * The centre square of a PNG or JPEG, shrunk to `size`.
 *
 * @throws DlgError `invalid-file` also when the image would have to be enlarged: there would be nothing to reconstruct
 * in the pixels between
 */
export function readSquare(path: string, size: number): Image {
  const image = readImage(path, { maximumPixels: MAX_PIXELS })
  const { width, height } = image
  if (Math.min(width, height) < size)
    throw new DlgError(
      'invalid-file',
      `${path}: the image is ${width}x${height}; it must be at least ${size}x${size} for --size ${size}`,
    )
  return toSquare(image, size)
}
