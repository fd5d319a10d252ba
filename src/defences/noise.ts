import { invalid, knownNames, number, show } from '../errors/checks'
import { normOf } from '../numbers/norms'
import type { Random } from '../numbers/random'
import { mapped, type Values } from '../numbers/values'
import { matchingNoise, withFloor } from './attacker'
import { type Defence, described } from './defence'

/** The size of noise, in one of two ways. */
export type NoiseSize =
  /** Standard deviation of the noise on every number, in the units of the gradient. */
  | { readonly std: number }
  /**
   * Norm of the noise on each tensor, in units of the norm of that tensor: 0.1 is noise of a tenth. The only way that means the same
   * for every model.
   */
  | { readonly relative: number }

/**
 * Normal noise N(0, s²) on every number. Without clipping it has no ε.
 *
 * @throws DlgError `invalid-option`
 */
export const gaussianNoise = (size: NoiseSize): Defence =>
  noise('gaussian-noise', 'normal', size, ({ normal }) => normal())

/**
 * Laplace noise on every number. `std` is its standard deviation: the scale is b = std / √2.
 *
 * @throws DlgError `invalid-option`
 */
export const laplaceNoise = (size: NoiseSize): Defence =>
  noise('laplace-noise', 'Laplace', size, ({ uniform }) => {
    const u = uniform() - 0.5 + 2 ** -33
    return (-Math.sign(u) * Math.log1p(-2 * Math.abs(u))) / Math.SQRT2
  })

/** @param draw a number of variance 1 */
function noise(name: string, word: string, size: NoiseSize, draw: (random: Random) => number): Defence {
  const { std, relative } = sizeOf(size)
  const spread = (values: Values, factor: number): number =>
    std ?? (factor * relative! * normOf([values])) / Math.sqrt(values.length)
  return described({ floor: std === undefined ? 'relative' : 'absolute' })({
    name,
    description:
      std === undefined
        ? `${word} noise of ${relative} times the norm of each tensor`
        : `${word} noise of standard deviation ${std}`,
    apply: (gradients, random) =>
      gradients.map((values) => {
        const deviation = spread(values, 1)
        return mapped(values, (v) => v + deviation * draw(random))
      }),
    adapt(target) {
      // ‖g + n‖² is (1 + r²) ‖g‖² on average: the noise is known from what was shared
      const factor = relative === undefined ? 1 : 1 / Math.sqrt(1 + relative ** 2)
      return withFloor(
        target,
        target.gradients.map((values) => values.length * spread(values, factor) ** 2),
      )
    },
    matching: matchingNoise,
  })
}

function sizeOf(size: NoiseSize): { readonly std?: number; readonly relative?: number } {
  knownNames('the noise', size, ['std', 'relative'])
  const { std, relative } = size as { std?: number; relative?: number }
  if ((std === undefined) === (relative === undefined))
    throw invalid(`the noise has std ${show(std)} and relative ${show(relative)}; it must have one of them`)
  const right = 'a finite number above 0'
  if (std !== undefined) number('std', std, (v) => v > 0 && v < Infinity, right)
  if (relative !== undefined) number('relative', relative, (v) => v > 0 && v < Infinity, right)
  return { std, relative }
}
