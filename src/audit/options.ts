import { Tensor } from '@tensorflow/tfjs-core'
import { type Attack, type AttackName, attacks } from '../attacks'
import { requireAttack } from '../attacks/contract/checks'
import { type TableSchema, tableSchema, widthOf } from '../attacks/tabular/schema'
import type { Model } from '../client/model/model'
import { type PreprocessingOptions, undoPreprocessing } from '../client/preprocessing'
import type { SharedGradients } from '../client/shared/read-gradients'
import type { SharedUpdate } from '../client/shared/shared-update'
import { type TargetOptions, targetOptions } from '../client/target-options'
import { type ClassIndices, isClassIndices } from '../client/target-values'
import { type Defence, requireDefence } from '../defences/defence'
import {
  choice,
  count,
  hasMethod,
  invalid,
  isPlain,
  knownNames,
  number,
  numberList,
  requireObject,
  show,
} from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'

/** The data of the clients that an audit plays: the truth, which every reconstruction is measured against. */
export interface AuditData {
  /** [samples, ...inputShape]; clients take `batchSize` of them each, in order. */
  readonly x: Tensor
  /** A class for each sample, or targets [samples, …] of the shape of the model's output. */
  readonly labels: ClassIndices | Tensor
  /**
   * How the columns are encoded, where the samples are records of a table: then `x` is what `encodeTable` of `dlg-ts/tabular` gives, cells
   * are measured, and the attack `tableak` is told.
   */
  readonly table?: TableSchema
  /** A name of its own for each sample, such as its file. Default: `sample 0`, `sample 1`, … */
  readonly names?: readonly string[]
}

/** One attack of an audit, with options of its own. */
export interface AuditAttack {
  readonly attack: AttackName | Attack<object>
  readonly options?: object
}

/**
 * Who attacks: `adaptive` knows the defence and its parameters, and not its random numbers; `unaware` takes what is shared for a plain
 * gradient.
 */
export type Attacker = 'adaptive' | 'unaware'

/** What an audit is of. It has `data`, which it plays the clients of, or `updates`, which clients shared. */
export interface AuditOptions {
  /** A built `tf.LayersModel`, or `{weights, apply, inputShape}`, at the weights of the gradient. */
  readonly model: Model
  readonly data?: AuditData
  /** What clients shared, by names of the caller's. Nobody knows the truth here: only proofs, residuals and certainty speak. */
  readonly updates?: Readonly<Record<string, SharedGradients | SharedUpdate>>
  /** How the clients train, and what the attacker is told: criterion, batch size, preprocessing and so on. */
  readonly training?: TargetOptions
  /** Default: every attack of the registry, the cheapest first. */
  readonly attacks?: readonly (AttackName | AuditAttack)[]
  /**
   * The defences to try. Default: none. The undefended gradient is attacked in any case, as the control: an attack that finds nothing
   * there says nothing of a defence. Only with `data`: what was shared already is as it is.
   */
  readonly defences?: readonly ('none' | Defence)[]
  /** Default: both. They are one for the undefended gradient. */
  readonly attackers?: readonly Attacker[]
  /**
   * Lowest and highest value of the data, for measures; of token ids 0 and the size of the vocabulary. It must hold `data.x`. Default
   * [0, 1]; of a table the lowest and the highest number of `data.x`. With `training.preprocessing` its `range` counts.
   */
  readonly dataRange?: readonly [number, number]
  /** Most evaluations of each trial. Default 2000. */
  readonly evaluations?: number
  /** Seed of everything random. Default 1234. */
  readonly seed?: number
  /** How far the model is trained, in your words, such as `after 3 rounds`: reports say it, as a verdict holds for that model alone. */
  readonly stage?: string
}

/** The options of an audit, decided and checked. */
export interface AuditSettings {
  readonly model: Model
  readonly data?: AuditData & { readonly names: readonly string[] }
  readonly updates?: Readonly<Record<string, SharedGradients | SharedUpdate>>
  readonly training: TargetOptions
  readonly attacks: readonly { readonly attack: Attack<object>; readonly options: object }[]
  /** Without the undefended gradient, which is `undefended`. */
  readonly defences: readonly Defence[]
  /** Whether the undefended gradient is a row of the audit, or the control alone. */
  readonly undefended: boolean
  readonly attackers: readonly Attacker[]
  readonly dataRange: readonly [number, number]
  readonly evaluations: number
  readonly seed: number
  readonly stage: string | undefined
}

/** The names of the options. */
export const AUDIT_OPTIONS: readonly (keyof AuditOptions)[] = [
  ...([
    'model',
    'data',
    'updates',
    'training',
    'attacks',
    'defences',
    'attackers',
    'dataRange',
    'evaluations',
    'seed',
    'stage',
  ] as const),
]

/** Evaluations of a trial where the caller says nothing. */
export const EVALUATIONS = 2000

/** @throws DlgError `invalid-option`, `invalid-data`, before any work */
export function auditSettings(options: AuditOptions): AuditSettings {
  knownNames('options', options, AUDIT_OPTIONS)
  const { model, data, updates, training = {}, evaluations = EVALUATIONS, seed = 1234, stage } = options
  if ((data === undefined) === (updates === undefined))
    throw invalid(
      `the audit has ${data !== undefined ? 'both data and updates' : 'neither data nor updates'}; it must have one of them`,
    )
  const { dataRange = data?.table ? rangeOf(data) : ([0, 1] as const) } = options
  requireObject('training', training, 'an object of options of targetOf', 'invalid-option')
  requireLive('training', training)
  const { batchSize } = targetOptions(training)
  count('evaluations', evaluations)
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  if (stage !== undefined && (typeof stage !== 'string' || stage.trim() === ''))
    throw invalid(`stage is ${show(stage)}; it must be words, such as 'after 3 rounds'`)
  if (
    !Array.isArray(dataRange) ||
    dataRange.length !== 2 ||
    !(dataRange[0] < dataRange[1]) ||
    !dataRange.every(Number.isFinite)
  )
    throw invalid(`dataRange is ${show(dataRange)}; it must be two finite numbers, the lower first`)
  const { defences = ['none'], attackers = ['adaptive', 'unaware'] } = options
  list('defences', defences)
  list('attackers', attackers)
  for (const attacker of attackers) choice('attackers', attacker, ['adaptive', 'unaware'])
  const real = defences.filter((defence): defence is Defence => defence !== 'none')
  for (const [i, defence] of real.entries()) requireDefence(`defence ${i}`, defence)
  unique(
    'defences',
    real.map(({ description }) => description),
  )
  if (updates !== undefined && real.length > 0)
    throw invalid('there are updates and defences; what was shared already is as it is, so defences need data')
  const played = data === undefined ? undefined : dataOf(data, batchSize)
  if (played) requireInRange(played.x, dataRange, training.preprocessing)
  const chosen = attacksOf(options.attacks ?? (Object.keys(attacks) as AttackName[]), played?.table)
  return {
    model,
    ...(played && { data: played }),
    ...(updates !== undefined && { updates: updatesOf(updates) }),
    ...{
      training,
      dataRange,
      evaluations,
      seed,
      stage,
      attackers: [...new Set(attackers)],
      defences: real,
      attacks: chosen,
    },
    undefended: real.length === 0 || defences.includes('none'),
  }
}

/**
 * Measures compare numbers within the range: what lies outside is cut, and data that lie outside would look like anything that does.
 *
 * @throws DlgError `invalid-data`
 */
function requireInRange(x: Tensor, dataRange: readonly [number, number], preprocessing?: PreprocessingOptions): void {
  const [low, high] = preprocessing?.range ?? (preprocessing ? [0, 1] : dataRange)
  const values = Float32Array.from(x.dataSync())
  const seen = preprocessing ? undoPreprocessing(values, preprocessing) : values
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const v of seen) {
    if (!Number.isFinite(v)) throw new DlgError('invalid-data', `data.x has ${v}; every number must be finite`)
    ;[least, most] = [Math.min(least, v), Math.max(most, v)]
  }
  const slack = 1e-3 * (high - low)
  if (least >= low - slack && most <= high + slack) return
  const found = `data.x reaches from ${show(least)} to ${show(most)}${preprocessing ? ' before the preprocessing' : ''}`
  throw new DlgError(
    'invalid-data',
    `${found}, outside ${preprocessing ? 'preprocessing.range' : 'dataRange'} [${low}, ${high}]; the range must hold the data, such as 0 and the size of the vocabulary for token ids`,
  )
}

function list(name: string, values: readonly unknown[]): void {
  if (Array.isArray(values) && values.length > 0) return
  throw invalid(`${name} is ${show(values)}; it must be a list with one entry at least`)
}

function unique(name: string, values: readonly string[]): void {
  const twice = values.find((value, i) => values.indexOf(value) !== i)
  if (twice !== undefined) throw invalid(`${name} has '${twice}' twice; each must be there once`)
}

function attacksOf(given: readonly (AttackName | AuditAttack)[], schema?: TableSchema): AuditSettings['attacks'] {
  list('attacks', given)
  const chosen = given.map((entry, i) => {
    if (typeof entry !== 'string') knownNames(`attacks[${i}]`, entry, ['attack', 'options'])
    const { attack, options = {} } = typeof entry === 'string' ? { attack: entry } : (entry ?? {})
    requireObject('the options of an attack', options, 'an object', 'invalid-option')
    const own = hasMethod(attack, 'refuses', 'run')
    if (own) requireAttack(attack as Attack<object>)
    requireLive('the options of an attack', options)
    const found = own
      ? (attack as Attack<object>)
      : attacks[choice('attack', attack, Object.keys(attacks) as AttackName[], 'an object with refuses() and run()')]
    checkOptions(found as Attack<object>, options)
    const told = found === attacks.tableak && schema ? { schema, ...options } : options
    return { attack: found as Attack<object>, options: told }
  })
  unique(
    'attacks',
    chosen.map(({ attack }) => attack.name),
  )
  return chosen
}

/** The lowest and the highest number of a table; 0 and 1 are among them, as words are encoded so. */
function rangeOf({ x }: AuditData): readonly [number, number] {
  if (!(x instanceof Tensor)) return [0, 1]
  const numbers = Float32Array.from(x.dataSync()).filter(Number.isFinite)
  return [numbers.reduce((a, b) => Math.min(a, b), 0), numbers.reduce((a, b) => Math.max(a, b), 1)]
}

/** @throws DlgError what the attack throws, with its name */
function checkOptions(attack: Attack<object>, options: object): void {
  try {
    attack.check?.(options)
  } catch (cause) {
    if (!(cause instanceof DlgError)) throw cause
    throw new DlgError(cause.code, `attack '${attack.name}': ${cause.message}`, { cause })
  }
}

/** @throws DlgError `invalid-data` */
export function dataOf(data: AuditData, batchSize: number): NonNullable<AuditSettings['data']> {
  knownNames('data', data, ['x', 'labels', 'names', 'table'])
  requireLive('data', data)
  const { x, labels } = data
  if (!(x instanceof Tensor) || x.dtype === 'string' || x.dtype === 'complex64')
    throw new DlgError('invalid-data', `data.x is ${shown(x)}; it must be a tensor of numbers [samples, …]`)
  requireLabels(labels)
  const samples = x.shape[0] ?? 0
  const labelled = labels instanceof Tensor ? labels.shape[0] : labels.length
  if (labelled !== samples)
    throw new DlgError(
      'invalid-data',
      `data has ${countOf(samples, 'sample')} and ${countOf(labelled, 'label')}; there must be one for each`,
    )
  if (samples < batchSize || samples % batchSize !== 0)
    throw new DlgError(
      'invalid-data',
      `data has ${countOf(samples, 'sample')} for batches of ${batchSize}; it must be a whole number of batches, one at least`,
    )
  const names = data.names ?? Array.from({ length: samples }, (_, i) => `sample ${i}`)
  if (!Array.isArray(names) || names.length !== samples || !names.every((name) => typeof name === 'string'))
    throw new DlgError(
      'invalid-data',
      `data.names is ${show(names)}; it must be a name for each of the ${countOf(samples, 'sample')}`,
    )
  // findings and pictures are told by name
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new DlgError('invalid-data', `data.names has '${twice}' twice; each sample must have a name of its own`)
  const table = data.table && tableSchema(data.table)
  if (table && (x.rank !== 2 || x.shape[1] !== widthOf(table)))
    throw new DlgError(
      'invalid-data',
      `data.x is [${x.shape.join(', ')}] and data.table has ${countOf(widthOf(table), 'input')}; it must be [records, inputs], as encodeTable gives it`,
    )
  return { x, labels, names, ...(table && { table }) }
}

const shown = (value: unknown): string => (value instanceof Tensor ? `a tensor of ${value.dtype}` : show(value))

/** @throws DlgError `invalid-data` */
function requireLabels(labels: AuditData['labels']): void {
  const right = 'a class for each sample, or a tensor of targets'
  if (labels instanceof Tensor ? labels.dtype === 'string' || labels.dtype === 'complex64' : !isClassIndices(labels))
    throw new DlgError('invalid-data', `data.labels is ${shown(labels)}; it must be ${right}`)
  if (labels instanceof Tensor) return
  numberList('data.labels', labels)
  const wrong = Array.from(labels).findIndex((label) => !Number.isFinite(label))
  if (wrong >= 0)
    throw new DlgError('invalid-data', `data.labels has ${labels[wrong]} at position ${wrong}; it must be a class`)
}

/** Refuses disposed tensors among the parts of a value. @throws DlgError `invalid-data` */
function requireLive(name: string, value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return
  seen.add(value)
  if (value instanceof Tensor) {
    if (value.isDisposed)
      throw new DlgError('invalid-data', `${name} is a disposed tensor; it must be there until the audit ends`)
    return
  }
  const parts =
    value instanceof Map || Array.isArray(value) ? value.entries() : isPlain(value) ? Object.entries(value) : []
  // a list may have millions of numbers
  for (const [part, of] of parts) if (typeof of === 'object') requireLive(`${name}.${part}`, of, seen)
}

function updatesOf(updates: AuditSettings['updates'] & object): AuditSettings['updates'] {
  requireObject('updates', updates, 'an object of gradients or updates by name', 'invalid-gradients')
  if (Object.keys(updates).length === 0)
    throw new DlgError('invalid-gradients', 'updates is empty; it must have one gradient or update at least')
  requireLive('updates', updates)
  return updates
}
