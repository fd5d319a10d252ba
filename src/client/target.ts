import { DlgError } from '../errors/dlg-error'
import { sizeOf } from '../graph/index'
import { readKnown } from './known-inputs'
import type { InputKinds } from './model/gradient'
import { type Model, type OpenModel, openModel, type Weight } from './model/model'
import type { InputData } from './read-data'
import { withoutMissing } from './shared/missing'
import type { SharedGradients } from './shared/read-gradients'
import { recogniseShared, type Shared } from './shared/read-shared'
import type { SharedUpdate } from './shared/shared-update'
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
  /** The inputs that are known. */
  readonly known: readonly InputData[]
  /** Names of the inputs that are searched, in the model's order. */
  readonly searched: readonly string[]
  /** How a trace must treat the inputs. */
  readonly kinds: InputKinds
}

/** Most numbers that a batch's inputs may have: 256 MB as float32, of which a search holds dozens. */
const MOST_NUMBERS = 2 ** 26

/** Refuses a batch that fits no memory before anything of its size is made. @throws DlgError `invalid-option` */
function requireRoom({ inputs }: OpenModel, batchSize: number): void {
  const each = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  if (batchSize * each > MOST_NUMBERS)
    throw new DlgError(
      'invalid-option',
      `batchSize is ${batchSize}; with ${each} numbers a sample it must be at most ${Math.floor(MOST_NUMBERS / each)}`,
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
  const { gradients, weights, rounding } = await shared.read(opened)
  const known = await readKnown(settings.known, opened, settings.batchSize)
  return {
    ...{ model: opened, whole, settings, gradients, weights, rounding, known },
    trained: opened.weights.filter((w) => w.trainable),
    searched: opened.inputs.map(({ name }) => name).filter((name) => !Object.hasOwn(settings.known, name)),
    kinds: {
      types: new Map(known.map(({ name, dtype }) => [name, dtype])),
      known: new Set(known.map(({ name }) => name)),
    },
  }
}
