import { number } from '../../errors/checks'
import type { Node } from '../../graph'
import * as g from '../../graph'
import type { Criterion, Reduction } from './criterion'
import { criterionOptions, perSample } from './per-sample'

/** Options of a loss that is computed element by element. */
export interface ElementOptions {
  /**
   * How the elements of one sample become its loss; how samples become one is the option `reduction`. PyTorch's
   * `reduction='sum'` is `sum` in both places. Default `mean`.
   */
  readonly within?: Reduction
}

/** Options of Huber's loss. */
export interface HuberOptions extends ElementOptions {
  /** Where the loss turns from a parabola into a line; above 0, default 1. */
  readonly delta?: number
}

/** (y − t)² of every element. */
export const meanSquaredError = (options: ElementOptions = {}): Criterion =>
  elementwise('meanSquaredError', g.square, options)

/** |y − t| of every element. */
export const meanAbsoluteError = (options: ElementOptions = {}): Criterion =>
  elementwise('meanAbsoluteError', g.abs, options)

/**
 * d² / 2 where |d| < δ, else δ (|d| − δ / 2), of every element's d = y − t (Huber 1964).
 *
 * @throws DlgError `invalid-option` for a δ that is not above 0
 */
export function huber(options: HuberOptions = {}): Criterion {
  const { delta = 1, ...element } = criterionOptions('huber', options, ['delta', 'within'])
  number('delta', delta, (v) => v > 0 && v < Infinity, 'a number above 0')
  const measure = (d: Node): Node => {
    const size = g.abs(d)
    const line = g.scale(g.offset(size, -delta / 2), delta)
    return g.select(g.less(size, g.scalar(d.graph, delta)), g.scale(g.square(d), 0.5), line)
  }
  return elementwise('huber', measure, element)
}

function elementwise(name: string, measure: (difference: Node) => Node, options: ElementOptions): Criterion {
  const { within } = criterionOptions(name, options, ['within'])
  return { name, targets: 'numbers', loss: (output, target) => perSample(measure(g.sub(output, target)), within) }
}
