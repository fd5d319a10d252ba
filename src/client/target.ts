import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import * as g from '../graph'
import { mapped, type Values } from '../numbers/values'
import { reference } from '../runtime/reference'
import { evaluate } from '../runtime/runtime'
import { type Dropped, inOrderOf, readDropped } from './model/dropout'
import {
  type InputKinds,
  penaltyOf,
  type TargetOf,
  type TracedGradient,
  traceGradient,
  weightParameter,
} from './model/gradient'
import type { Model, OpenModel, Weight } from './model/model'
import { openModel } from './model/open-model'
import { requireChannels } from './preprocessing'
import { type InputData, readKnown } from './read-data'
import { withoutMissing } from './shared/missing'
import type { SharedGradients } from './shared/read-gradients'
import { recogniseShared, type Shared } from './shared/read-shared'
import type { SharedUpdate } from './shared/shared-update'
import { unrolled, unrolls } from './shared/unroll'
import type { TargetSettings } from './target-options'

/**
 * Everything an attacker has: the model at the weights of the gradient, what was shared, how the client trains, and the inputs
 * that are known. It is read, checked and normalised once; attacks take it whole. All of it is numbers of our own: nothing of
 * the caller's is kept.
 */
export interface Target extends Shared {
  /** The model; a weight whose gradient is missing is frozen. */
  readonly model: OpenModel
  /** The model as the client trains it, with every trained weight. */
  readonly whole: OpenModel
  /** The weights whose gradients were shared, in the order of `gradients`. */
  readonly trained: readonly Weight[]
  readonly settings: TargetSettings
  /**
   * The shared gradient without the part of the model's own regularizers, which depends on the weights alone: attacks in closed form
   * read the data here. The same as `gradients` where there are no regularizers, or where that part cannot be told.
   */
  readonly dataGradients: readonly Values[]
  /** The inputs that are known. */
  readonly known: readonly InputData[]
  /** Names of the inputs that are searched, in the model's order. */
  readonly searched: readonly string[]
  /** How a trace must treat the inputs. */
  readonly kinds: InputKinds
  /** What must be known before a search, in sentences: random masks that were read, or that nobody knows. */
  readonly notes: readonly string[]
  /** The class of each sample of a batch, where the masks of the client's dropout were read. */
  readonly sampleLabels?: readonly number[]
  /** The target where the samples are in the order of these classes: masks of a batch's dropout belong to samples. */
  forLabels(this: Target, labels: readonly number[]): Target
}

/** Most numbers that a batch's inputs may have: 256 MB as float32, of which a search holds dozens. */
const MOST_NUMBERS = 2 ** 26

/** Refuses a batch that fits no memory before anything of its size is made. @throws DlgError `invalid-option` */
function requireRoom({ inputs }: OpenModel, batchSize: number): void {
  const each = inputs.reduce((sum, { shape }) => sum + g.sizeOf(shape), 0)
  if (batchSize * each > MOST_NUMBERS)
    throw new DlgError(
      'invalid-option',
      `batchSize is ${batchSize}; with ${countOf(each, 'number')} a sample it must be at most ${Math.floor(MOST_NUMBERS / each)}`,
    )
}

/** Reads everything an attacker has. @throws DlgError for what is wrong with the model, what was shared or the known inputs */
export async function openTarget(
  model: Model,
  given: SharedGradients | SharedUpdate,
  settings: TargetSettings,
): Promise<Target> {
  const whole = openModel(model)
  requireRoom(whole, settings.batchSize)
  const shared = recogniseShared(given, whole, settings)
  const opened = withoutMissing(whole, shared.tensors, settings.missing)
  const { gradients, weights, rounding, lost, statistics } = await shared.read(opened)
  const dataGradients = await withoutPenalties(opened, settings, gradients, weights)
  const dropped = droppedIn(opened, dataGradients, settings)
  const maskedBy = (masks: Dropped['masks']) =>
    masks.size > 0 ? withoutMissing(whole.withMasks!(masks), shared.tensors, settings.missing) : opened
  const known = await readKnown(settings.known, opened, settings.batchSize)
  const first = opened.inputs.find(({ name }) => !Object.hasOwn(settings.known, name))
  if (settings.preprocessing && first) requireChannels(settings.preprocessing, first.shape, first.name)
  return {
    ...{
      model: maskedBy(dropped.masks),
      whole,
      settings,
      gradients,
      dataGradients,
      weights,
      rounding,
      lost,
      known,
      statistics,
    },
    notes: dropped.notes,
    sampleLabels: dropped.labels,
    forLabels(this: Target, labels) {
      const masks = inOrderOf(dropped, labels)
      if (!masks) return this
      const { weights } = this.model
      // a defence may have frozen weights meanwhile
      return { ...this, model: { ...maskedBy(masks), weights }, sampleLabels: [...labels] }
    },
    trained: opened.weights.filter((w) => w.trainable),
    searched: opened.inputs.map(({ name }) => name).filter((name) => !Object.hasOwn(settings.known, name)),
    kinds: {
      types: new Map(known.map(({ name, dtype }) => [name, dtype])),
      known: new Set(known.map(({ name }) => name)),
    },
  }
}

/** The masks of dropout layers that the gradient shows, and what must be said of random layers. */
function droppedIn(
  { weights, randomLayers = [] }: OpenModel,
  gradients: readonly Values[],
  settings: TargetSettings,
): Dropped {
  const trained = weights.filter((w) => w.trainable)
  const gradientOf = (at: number) => {
    const values = gradients[trained.indexOf(weights[at])]
    return values && { values, units: weights[at].shape[1] }
  }
  const { training, batchSize } = settings
  return readDropped(randomLayers, {
    gradientOf,
    training,
    batchSize,
    oneStep: (settings.update?.steps.length ?? 1) === 1,
  })
}

/** The shared gradients less those of the regularizers; as they are where a factor or local steps stand between the two. */
async function withoutPenalties(
  model: OpenModel,
  { scale, update }: TargetSettings,
  gradients: readonly Values[],
  weights: ReadonlyMap<string, Values>,
): Promise<readonly Values[]> {
  if (!model.penalties || scale === 'auto' || unrolls(update)) return gradients
  const traced = { graph: g.createGraph(), captured: new Map<string, Values>() }
  const nodes = model.weights.map((w) => g.parameter(traced.graph, weightParameter(w), w.shape))
  const penalty = penaltyOf(model, traced, nodes)
  if (!penalty) return gradients
  const outputs = g.grad(
    penalty,
    nodes.filter((_, i) => model.weights[i].trainable),
  )
  const parts = await evaluate(reference(), { inputs: [], outputs }, new Map([...traced.captured, ...weights]), [])
  return gradients.map((values, i) => mapped(values, (v, k) => v - parts[i][k]))
}

/**
 * The gradient of what the client computed, as a graph over its data: of one step, or of all its local steps as it took them.
 *
 * @param targetOf the node that an output is compared with
 * @throws DlgError `untraceable`, `invalid-option`
 */
export function traceClient(target: Target, targetOf: TargetOf): TracedGradient {
  const { model, whole, trained, kinds, settings } = target
  if (!unrolls(settings.update)) return traceGradient(model, settings, targetOf, kinds)
  // a weight whose share is missing moves with the others all the same
  const one = traceGradient(whole, settings, targetOf, kinds)
  return unrolled(whole, trained, settings, one, kinds, settings.update)
}
