import * as tf from '@tensorflow/tfjs-core'
import { type AttackName, attacks, type Outcome, runAttack } from '../attacks'
import { gradientRanks } from '../attacks/dense/ranks'
import { gradientsOf } from '../client/gradients-of'
import type { Model } from '../client/model/model'
import type { SharedGradients } from '../client/shared/read-gradients'
import type { SharedUpdate } from '../client/shared/shared-update'
import { openTarget, type Target } from '../client/target'
import { TARGET, type TargetOptions, targetOptions } from '../client/target-options'
import { TRAINING, trainingOf } from '../client/training-options'
import { knownNames, requireObject } from '../errors/checks'
import { countOf } from '../errors/counted'
import { normOf } from '../numbers/norms'
import { type AuditData, dataOf } from './options'
import { plantedLayers } from './planted-layers'

/** Something that stands in what is shared, and needs no search to be read. */
export interface StaticFinding {
  /**
   * - `data`: the data, proven. - `candidates`: candidates for single samples. - `labels`, `tokens`: those that occur.
   * - `span`: a gradient spans fewer directions than its matrix has, and the layer's inputs lie in them: candidates can be tested.
   * - `singled-out`: in some weight the gradient of one sample is five times as large as those of all others together or more, so that
   *   what is shared there is nearly its own: as where a server fishes for it, or where the model fits the others already.
   * - `planted`: several units of a dense layer have one direction and different biases, so that differences of their gradients are single
   *   samples. Training makes no such layer; a server that wants to read samples does.
   */
  readonly code: 'data' | 'candidates' | 'labels' | 'tokens' | 'span' | 'singled-out' | 'planted'
  /** Whether something was read already, or could be with more. */
  readonly level: 'leak' | 'warning'
  /** The attack of the registry that read it. */
  readonly attack?: AttackName
  /** The weight whose gradient shows it. */
  readonly weight?: string
  /** In one sentence. */
  readonly words: string
}

/** Options of {@link staticFindings}. */
export interface StaticOptions extends TargetOptions {
  /** The client's own batch, where it asks before it sends: then samples that are singled out are found. */
  readonly data?: Pick<AuditData, 'x' | 'labels'>
}

/** The attacks that search nothing, and what each reads. */
const CLOSED: Readonly<Partial<Record<AttackName, StaticFinding['code']>>> = {
  'label-inference': 'labels',
  'token-set': 'tokens',
  'dense-inversion': 'data',
  'isolated-inputs': 'candidates',
}

/** Most directions that are looked for in a gradient. */
const MOST_DIRECTIONS = 64

/**
 * Ratio from which one sample stands out: the others change its gradient by a fifth at most. At 1 every batch of two would count, as one
 * of two gradients is always the larger.
 */
const SINGLED_OUT = 5

/**
 * What anybody reads from what a client shares without a search, in about a second: for a client's hook before it sends. Nothing
 * found is no evidence of safety: searches find more.
 *
 * Labels, sets of tokens, data in closed form, ranks, layers that were made to read samples (Fowl et al. 2022, Robbing the Fed), and (with `data`) samples that are singled out, by the largest over the layers
 * of max‖gᵢ‖ / Σ‖gⱼ‖ over the others (D-SNR of Garov et al. 2024, Hiding in Plain Sight).
 *
 * @param model a built `tf.LayersModel`, or `{weights, apply, inputShape}`
 * @param shared the gradient or update that would be sent
 * @throws DlgError as `targetOf`
 */
export async function staticFindings(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: StaticOptions = {},
): Promise<StaticFinding[]> {
  knownNames('options', options, [...Object.keys(TRAINING), ...Object.keys(TARGET), 'data'])
  const { data, ...asked } = options
  const settings = targetOptions(asked)
  if (data !== undefined) requireObject('data', data, '{x, labels}: the batch of the client')
  const batch = data === undefined ? undefined : dataOf({ ...data }, settings.batchSize)
  const target = await openTarget(model, shared, settings)
  // what does not fit the model is found here, before any attack
  const alone = batch ? await singledOut(model, batch, asked) : []
  const read: StaticFinding[] = []
  for (const [name, code] of Object.entries(CLOSED) as [AttackName, StaticFinding['code']][]) {
    const outcome: Outcome = await runAttack(attacks[name], target, {})
    try {
      const { status, reason } = outcome
      if (status === 'proven' || status === 'matched') read.push({ code, level: 'leak', attack: name, words: reason })
      else if (status === 'partial' || status === 'undetermined')
        read.push({ code, level: code === 'data' ? 'warning' : 'leak', attack: name, words: reason })
    } finally {
      outcome.dispose()
    }
  }
  return [...read, ...(await spans(target)), ...planted(target), ...alone]
}

/** Layers that look made to read single samples. */
const planted = (target: Target): StaticFinding[] =>
  plantedLayers(target).map(({ weight, shape, units }) => ({
    ...{ code: 'planted', level: 'warning', weight },
    words: `${countOf(units, 'unit')} of '${weight}' [${shape.join(', ')}] have one direction and different biases: differences of their gradients are single samples, and training makes no such layer`,
  }))

/** Gradients of weight matrices that say how many inputs there were, and span them. */
async function spans({ trained, gradients }: Target): Promise<StaticFinding[]> {
  const matrices = trained.flatMap(({ name, shape }, i) =>
    shape.length === 2 ? [[name, { shape: [...shape], data: Float32Array.from(gradients[i]) }] as const] : [],
  )
  if (matrices.length === 0) return []
  const ranks = await gradientRanks(Object.fromEntries(matrices), { limit: MOST_DIRECTIONS })
  return ranks
    .filter(({ implies, rank, rows }) => implies === 'span' && rank < rows)
    .map(({ name, rank, rows, columns }) => ({
      ...{ code: 'span', level: 'warning', weight: name },
      words: `the gradient of '${name}' [${rows}, ${columns}] has ${countOf(rank, 'direction')}: at least as many samples or tokens, whose inputs to this layer lie in their span`,
    }))
}

/** The sample whose gradient stands out most from those of all others together, in a weight. */
async function singledOut(
  model: Model,
  { x, labels, names }: ReturnType<typeof dataOf>,
  asked: TargetOptions,
): Promise<StaticFinding[]> {
  const count = x.shape[0]
  const norms = new Map<string, number[]>()
  for (let i = 0; i < count; i++) {
    const one = tf.tidy(() => tf.slice(x, i, 1))
    const its = labels instanceof tf.Tensor ? tf.tidy(() => tf.slice(labels, i, 1)) : [Array.from(labels)[i]]
    try {
      const gradients = await gradientsOf(model, one, its, trainingOf(asked))
      for (const [name, gradient] of Object.entries(gradients))
        norms.set(name, [...(norms.get(name) ?? []), normOf([gradient.dataSync() as Float32Array])])
      tf.dispose(gradients)
    } finally {
      tf.dispose([one, ...(its instanceof tf.Tensor ? [its] : [])])
    }
  }
  if (count < 2) return []
  const ratios = [...norms].map(([weight, sizes]) => {
    const most = Math.max(...sizes)
    const others = sizes.reduce((sum, size) => sum + size, 0) - most
    return {
      weight,
      sample: sizes.indexOf(most),
      ratio: others > 0 ? most / others : most > 0 ? Number.POSITIVE_INFINITY : 0,
    }
  })
  const [worst] = ratios.sort((a, b) => b.ratio - a.ratio)
  if (!worst || worst.ratio < SINGLED_OUT) return []
  const times = Number.isFinite(worst.ratio) ? `${worst.ratio.toPrecision(2)} times` : 'infinitely many times'
  const words = `in '${worst.weight}' the gradient of ${names[worst.sample]} is ${times} as large as those of all others together: what is shared there is nearly its own`
  return [{ code: 'singled-out', level: 'warning', weight: worst.weight, words }]
}
