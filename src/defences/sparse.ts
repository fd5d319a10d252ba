import { choice, invalid, knownNames, number, show } from '../errors/checks'
import { mapped, type Values } from '../numbers/values'
import { keptDistance } from './attacker'
import { type Defence, described } from './defence'

/** Options of {@link pruning} and {@link topK}. */
export interface PartOptions {
  /** Part of the numbers, above 0 and below 1. */
  readonly part: number
  /** Whether the part is of each tensor (default) or of all numbers together. */
  readonly per?: 'tensor' | 'all'
}

/**
 * Shares the largest numbers by absolute value and zeros in place of the others: gradient compression. `part` is the part that is
 * kept, at least one number.
 *
 * @throws DlgError `invalid-option`
 */
export const topK = (options: PartOptions): Defence => sparse('top-k', options, (part) => part, 'keeps')

/**
 * Shares zeros in place of the smallest numbers by absolute value. `part` is the part that is dropped; at least one number is kept.
 *
 * @throws DlgError `invalid-option`
 */
export const pruning = (options: PartOptions): Defence => sparse('pruning', options, (part) => 1 - part, 'drops')

function sparse(name: string, options: PartOptions, keptOf: (part: number) => number, verb: string): Defence {
  knownNames('options', options, ['part', 'per'])
  const { part, per = 'tensor' } = options
  number('part', part, (v) => v > 0 && v < 1, 'a number above 0 and below 1')
  choice('per', per, ['tensor', 'all'])
  return described()({
    name,
    description: `${verb} ${+(100 * part).toPrecision(12)} % of the numbers of ${per === 'all' ? 'all tensors together' : 'each tensor'} by size`,
    apply(gradients) {
      if (per === 'tensor') return gradients.map((values) => largestOf([values], keptOf(part))[0])
      return largestOf(gradients, keptOf(part))
    },
    adapt: (target) => ({
      ...target,
      // what the regularizers add is dropped or kept with the rest
      dataGradients: target.gradients,
      // and so is noise that was there before
      // noise that came later fills zeros in
      lost: target.lost.map((squared, i) => squared * Math.min(keptOf(part) || 1, partKept(target.gradients[i]))),
    }),
    // certainty reads every number, also those that were dropped
    matching: () => ({ distance: keptDistance(per), certainty: false }),
  })
}

function partKept(values: Values): number {
  let kept = 0
  for (let k = 0; k < values.length; k++) if (values[k] !== 0) kept++
  return kept / values.length
}

/** The largest numbers of all tensors together; where several are equal, the first ones. */
function largestOf(gradients: readonly Values[], part: number): Float64Array[] {
  const sizes = new Float64Array(gradients.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const values of gradients) for (let k = 0; k < values.length; k++) sizes[at++] = Math.abs(values[k])
  sizes.sort()
  const count = Math.max(1, Math.round(part * sizes.length))
  const threshold = sizes[sizes.length - count]
  // how many of those that are as large as the threshold are kept
  let equal = count - sizes.reduce((above, v) => above + (v > threshold ? 1 : 0), 0)
  return gradients.map((values) =>
    mapped(values, (v) => {
      const size = Math.abs(v)
      return size > threshold || (size === threshold && equal-- > 0) ? v : 0
    }),
  )
}

/**
 * Gradients of some weights are not shared at all, as of frozen or private layers.
 *
 * @param names names of trained weights
 * @throws DlgError `invalid-option`
 */
export function withheld(names: readonly string[]): Defence {
  if (!Array.isArray(names) || names.length === 0 || !names.every((name) => typeof name === 'string'))
    throw invalid(`names is ${show(names)}; it must be a list of names of weights, one at least`)
  const absent = new Set(names)
  return described()({
    name: 'withheld',
    description: `does not share the gradients of ${[...absent].join(', ')}`,
    refuses({ trained }) {
      const known = trained.map(({ name }) => name)
      const stranger = [...absent].find((name) => !known.includes(name))
      if (stranger !== undefined) return `there is no gradient of '${stranger}'; there are ${known.join(', ')}`
      return known.every((name) => absent.has(name)) ? 'it withholds every gradient' : undefined
    },
    apply: (gradients, _, weights) =>
      gradients.map((values, i) =>
        absent.has(weights[i]) ? new Float64Array(values.length) : Float64Array.from(values),
      ),
    adapt(target) {
      const { trained, gradients, dataGradients, lost, model } = target
      const rest = trained.flatMap(({ name }, i) => (absent.has(name) ? [] : [i]))
      const left = rest.map((i) => gradients[i])
      return {
        ...target,
        model: {
          ...model,
          weights: model.weights.map((w) => (absent.has(w.name) ? { ...w, trainable: false } : w)),
        },
        trained: rest.map((i) => trained[i]),
        gradients: left,
        dataGradients: dataGradients === gradients ? left : rest.map((i) => dataGradients[i]),
        lost: rest.map((i) => lost[i]),
      }
    },
  })
}
