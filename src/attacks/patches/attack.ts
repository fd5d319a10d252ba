import { tensor } from '@tensorflow/tfjs-core'
import type { Target } from '../../client/target'
import { targetKind } from '../../client/target-values'
import { countOf } from '../../errors/counted'
import { gradientsAt, RESIDUAL, residualOf } from '../../measure/residual'
import type { Steps } from '../../numbers/steps'
import { innerProduct, relativeDistance } from '../../numbers/stretches'
import { mapped, type Values } from '../../numbers/values'
import { type Attack, outcome } from '../contract/attack'
import { endOf } from '../contract/cut'
import { CLOSED_FORM, CUT, nothingIfCut, paced, pauses, pausesOf, restBy } from '../contract/pause'
import { checkLabels } from '../dense/attacks'
import { traceOfOne } from '../dense/first-dense'
import { labelsOrNone } from '../labels/infer-labels'
import { embeddingIn, solvedIn } from './exact-patches'
import { passesForMixture } from './mixtures'
import { refined } from './refine'

/** Options of patch inversion. */
export interface PatchInversionOptions {
  /** Class of the sample, where it is known. Default: inferred from the last layer. */
  readonly labels?: readonly number[]
}

/** Residual below which patches, some of whose directions are guessed, are near the client's. */
const NEAR = 0.1

/** Change of the data, in units of the difference of neighbours, that the gradient must tell for a proof. */
const TOLD = 0.1

/** A factor or a label smoothing is named from this much on. */
const SEEN = 1e-3

/** One sample in closed form, where the model begins as a vision transformer does. `exactPatches` is its own door. */
export const patchInversion: Attack<PatchInversionOptions> = {
  name: 'patch-inversion',
  source: 'Lu et al. 2022, APRIL: Finding the Achilles’ Heel on Privacy for Vision Transformers',
  leaks: 'data',
  needs: {
    sees: 'the gradients of the patch embedding and of the positions, and of the rest for a proof',
    batch: 'one sample',
    model: 'begins with patches embedded by one linear map, to which trained positions are added',
    labels: 'none: inferred for the proof',
    threatModel: 'B',
  },
  check: checkLabels,
  async refuses(target) {
    const embedding = await embeddingIn(
      target,
      pauses(() => true),
    )
    return typeof embedding === 'string' ? embedding : undefined
  },
  async run(target, { labels: known }, control) {
    const started = performance.now()
    const end = (said: Parameters<typeof outcome>[3]) => outcome('patch-inversion', started, control, said)
    const [closed, pause] = [pausesOf(control, started, CLOSED_FORM), pausesOf(control, started)]
    const done = <T>(work: Steps<T>) => paced(work, pause)
    const told = (words: string) => control.onProgress?.({ attack: 'patch-inversion', words })
    told('the patches')
    const solved = await solvedIn(target, closed).catch(nothingIfCut)
    if (!solved) return end({ status: 'cut', reason: `${endOf(control)} before the patches were solved for` })
    if (typeof solved === 'string') return end({ status: 'failed', reason: solved })
    const { embedding, solution } = solved
    const { rank, unread, roughness } = solution
    const { patches, numbers } = embedding
    const open = patches - rank
    const floor = Math.max(RESIDUAL, 3 * Math.sqrt(target.rounding))
    const tensorOf = (data: Float64Array) => tensor(Float32Array.from(data), [1, ...target.model.inputs[0].shape])
    const guessed = `${open} of ${patches} directions of the patches are guessed`
    const { evaluations = Number.POSITIVE_INFINITY } = control.budget ?? {}
    /** The best so far. */
    let [data, labels] = [solution.data, known]
    let residual: number | undefined
    let work: { readonly evaluations: number } | undefined
    const cut = () =>
      end({
        status: 'cut',
        reason:
          residual === undefined
            ? `the patches stand in the gradient, and the search ended before a proof; ${guessed}`
            : `the gradient of the patches found is ${residual.toExponential(1)} away from the shared one, and the search ended before a proof`,
        found: { data: tensorOf(data), ...(labels && { labels }) },
        evidence: { ...(residual !== undefined && { residual, floor }), rank },
        ...(work && { work }),
      })
    try {
      told('the label')
      const read = known ? undefined : await labelsOrNone(target, closed)
      // labels that others could be as well prove nothing
      labels ??= read?.others ? undefined : read?.labels
      if (!labels)
        return end({
          status: 'partial',
          reason: `the patches stand in the gradient; no rule gives the label, so that nothing proves them${open > 0 ? `; ${guessed}` : ''}`,
          found: { data: tensorOf(data) },
          evidence: { rank },
        })
      if (open * numbers >= evaluations) return cut()
      told(open > 0 ? 'the directions that are open' : 'the gradient of the patches')
      const more = await refined(target, solution, open * numbers, labels, pause)
      if (more) [data, work] = [more.data, { evaluations: more.evaluations }]
      await restBy(pause)()
      const away = more?.residual ?? (await residualOf(target, [Float32Array.from(data)], [{ labels }], done))
      residual = away
      const holds = away <= floor
      // how far other data with a gradient as close could be
      const clear = open === 0 || (more !== undefined && floor * more.sensitivity <= TOLD * roughness)
      await restBy(pause)()
      // data that are right need no more than the right targets
      const soft = holds || open > 0 ? undefined : await softTargets(target, Float32Array.from(data), labels, done)
      if (soft && soft.residual <= floor)
        return end({
          status: 'partial',
          reason: `the patches stand in the gradient, which is ${away.toExponential(1)} away with label ${labels.join(', ')} and ${soft.residual.toExponential(1)} with ${soft.words}; that it is of one sample is not proven`,
          found: { data: tensorOf(data) },
          evidence: { residual: away, floor, rank },
        })
      // two trial mixtures are refined as the patches were
      const proof = holds && unread === 0 && clear && 3 * open * numbers < evaluations
      if (proof) told('mixtures near the patches')
      const alike = proof ? await passesForMixture(target, embedding, data, labels, floor, pause) : undefined
      const reasons = [
        `with label ${labels.join(', ')} the gradient of the patches found is ${away.toExponential(1)} away from the shared one`,
        ...(open === 0
          ? []
          : [
              clear
                ? `${open} of ${countOf(patches, 'direction')} of the patches stand in the rest of the gradient`
                : guessed,
            ]),
        ...(unread > 0 ? [`${countOf(unread, 'number is', 'numbers are')} read by no patch`] : []),
        ...(alike ? ['the mean of several samples would have such a gradient too'] : []),
      ]
      return end({
        status: holds
          ? unread > 0 || alike
            ? 'undetermined'
            : alike === false
              ? 'proven'
              : 'matched'
          : open > 0 && away < NEAR
            ? 'partial'
            : 'failed',
        reason: reasons.join('; '),
        found: { data: tensorOf(data), labels },
        evidence: { residual: away, floor, rank },
        ...(work && { work }),
      })
    } catch (error) {
      if (error !== CUT) throw error
      return cut()
    }
  },
}

/**
 * The targets a e_c + b/K that fit what was shared best, e_c those of the label and K the number of classes: a cross-entropy's gradient is
 * linear in its targets, so that a factor of what was shared and label smoothing are in a and b.
 *
 * @returns ‖g − g*‖ / ‖g*‖ with them, and what they are in words; undefined where the targets are no classes
 */
async function softTargets(
  target: Target,
  data: Values,
  labels: readonly number[],
  done: <T>(work: Steps<T>) => Promise<T>,
) {
  const [output, ...others] = traceOfOne(target.model, target.settings).outputs
  if (others.length > 0 || targetKind(output) !== 'classes' || output.node.shape.length !== 2) return undefined
  const { shape } = output.node
  const uniform = { shape, values: new Float32Array(shape[1]).fill(1 / shape[1]) }
  const [[one], [all]] = [
    await gradientsAt(target, [[data]], [{ labels }]),
    await gradientsAt(target, [[data]], [uniform]),
  ]
  const { gradients } = target
  const product = (a: readonly Values[], b: readonly Values[]) => done(innerProduct(a, b))
  const [oneOne, oneAll, allAll] = [await product(one, one), await product(one, all), await product(all, all)]
  const [oneShared, allShared] = [await product(one, gradients), await product(all, gradients)]
  const determinant = oneOne * allAll - oneAll ** 2
  const a = (allAll * oneShared - oneAll * allShared) / determinant
  const b = (oneOne * allShared - oneAll * oneShared) / determinant
  const fitted = one.map((values, i) => mapped(values, (v, k) => a * v + b * all[i][k]))
  const residual = await done(relativeDistance(fitted, gradients))
  const [factor, smoothing] = [a + b, b / (a + b)]
  const words = [
    ...(Math.abs(factor - 1) > SEEN ? [`a factor of ${factor.toPrecision(3)} (scale)`] : []),
    ...(Math.abs(smoothing) > SEEN ? [`label smoothing of ${smoothing.toPrecision(2)}`] : []),
  ]
  return { residual, words: words.join(' and ') || 'targets a little off' }
}
