import type { Arguments, Options } from './arguments'
import type { PlayedSettings } from './attack'
import { OWN_DEFAULTS } from './flags'
import { SIZES } from './read-image'

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
