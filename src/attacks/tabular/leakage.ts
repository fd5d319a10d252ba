import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget, type Target } from '../../client/target'
import { targetOptions } from '../../client/target-options'
import type { PlainTargets } from '../../client/target-values'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { RESIDUAL } from '../../measure/residual'
import { squaredNorm } from '../../numbers/values'
import type { OutcomeStatus } from '../contract/attack'
import { heardBy } from '../contract/listener'
import { nothingIfCut } from '../contract/pause'
import { ABORTED } from '../matching/preparing'
import { pauses } from '../spear/pause'
import { spearTarget } from '../spear/spear'
import { type Doubts, doubtsAbout, sum } from './doubts'
import { recordOf } from './encode'
import { type ExactRows, exactRows, type Knowing, snappedRows, withTargets } from './exact'
import { givenTargets } from './given-targets'
import { untoldNeighbours } from './neighbours'
import { TABLE_SEARCH, type TableLeakageOptions, type TableSettings, tableSettings } from './options'
import { type PlacedColumn, placed, type TableRecord, type TableSchema, tableSchema, widthOf } from './schema'
import { searchTable } from './search'
import { snapped } from './snap'
import { type Span, spanOf } from './span'

/** How sure each cell of a record is, from 0 to 1, by column. */
export type TableConfidence = { readonly [column: string]: number }

/** Records out of a shared gradient. */
export interface TableLeakage {
  /**
   * `proven`: the records stand in the gradient of the first layer, and re-create everything that was shared. `matched`: they
   * re-create it. `undetermined`: they do, and so would records with other cells; `reason` says how many. `failed`: they do not;
   * single cells may be right all the same. `cut`: the same, ended by the budget or the caller. A failed attack is no evidence
   * that what was shared is safe.
   */
  readonly status: Extract<OutcomeStatus, 'proven' | 'matched' | 'undetermined' | 'failed' | 'cut'>
  /** The status in one sentence, with the fact that decided it. */
  readonly reason: string
  /** How the records were found: `span` (closed form over one-hot blocks), `spear`, or `search`. */
  readonly method: 'span' | 'spear' | 'search'
  /** The rows of the batch, in no particular order. */
  readonly records: readonly TableRecord[]
  /**
   * How sure each cell is. 1 where the status is `proven`, and 0 for a cell that could be otherwise. After a search, how far its
   * restarts agree: see the guide of tables.
   */
  readonly confidence: readonly TableConfidence[]
  /** The class of each record; empty where the output has no classes, and where a factor that nobody knows leaves it open. */
  readonly labels: readonly number[]
  /** [records, inputs] row by row: what the client's encoder makes of the records. */
  readonly inputs: Float32Array
  /** ‖g − g*‖ / ‖g*‖ over everything that was shared. */
  readonly residual: number
  /** The residual up to which records re-create what was shared: rounding and noise leave that much, and it is 0.5 at most. */
  readonly floor: number
  /** Restarts of the search; 0 without one. */
  readonly restarts: number
  /** Evaluations of the objective. */
  readonly evaluations: number
  readonly milliseconds: number
  readonly seed: number
  /** What ran the search, such as `onnx:cpu`; undefined without one. */
  readonly runtime: string | undefined
}

/** No noise makes a residual above this a match: a gradient of zeros has 1, so it is what nothing at all matches. */
const MOST_FLOOR = 0.5

/** Draws of SPEAR: some seconds. */
const DRAWS = 60_000

/**
 * Reads records of a table out of a shared gradient (TabLeak: Vero, Balunović, Dimitrov, Vechev, ICML 2023).
 *
 * First come exact ways, which need a dense first layer with bias and a batch smaller than that layer. Every row is in the span
 * of the layer's gradient, and few vectors of the span are records: they are enumerated, column by column. SPEAR follows, where
 * a ReLU stands behind the layer. Else the records are searched: gradient matching over soft-max blocks, with several restarts,
 * whose results are aligned and pooled.
 *
 * @param model a built `tf.LayersModel`, or `{weights, apply, inputShape}`, with one input [inputs of the schema]
 * @param shared the gradient: a list in the order of the trained weights, or a map by their names; or an update
 * @param schema how the client encodes its columns
 * @throws DlgError before any work starts, with a code and what would be right; `aborted` where the signal is aborted before anything
 * was evaluated
 */
export async function deepLeakageFromTable(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  schema: TableSchema,
  options: TableLeakageOptions = {},
): Promise<TableLeakage> {
  const settings = tableSettings(options)
  const checked = tableSchema(schema)
  const told = Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(TABLE_SEARCH, name)))
  const target = await openTarget(model, shared, targetOptions(told))
  const refusal = refusalOf(target, checked)
  if (refusal) throw new DlgError('invalid-data', refusal)
  const leak = await heardBy(settings.onProgress, (onProgress) =>
    tableLeakage(target, checked, { ...settings, onProgress }).catch(nothingIfCut),
  )
  if (leak) return leak
  throw new DlgError('aborted', ABORTED)
}

/** Why a schema does not go with a model; undefined where it does. */
export function refusalOf({ model, searched }: Target, schema: TableSchema): string | undefined {
  const [input] = model.inputs
  const width = widthOf(schema)
  if (model.inputs.length !== 1 || searched.length !== 1)
    return `the model has ${countOf(model.inputs.length, 'input')}; a table must be the only one`
  if (input.shape.length === 1 && input.shape[0] === width) return undefined
  return `the schema has ${countOf(width, 'input')}; the model reads [${input.shape.join(', ')}]: both must be the same`
}

/** As {@link deepLeakageFromTable}, of what is read already. @throws CUT where the caller has aborted before anything was evaluated */
export async function tableLeakage(
  target: Target,
  schema: TableSchema,
  settings: TableSettings,
): Promise<TableLeakage> {
  const started = performance.now()
  const { signal, budget, seed, onProgress } = settings
  const columns = placed(schema)
  const floor = Math.min(MOST_FLOOR, Math.max(RESIDUAL, 3 * Math.sqrt(target.rounding)))
  const inTime = (): boolean => !signal?.aborted && performance.now() - started < budget.milliseconds
  const known = { given: settings.exact ? await givenTargets(target, settings.labels) : undefined, floor }
  onProgress?.({ part: 0, words: "the span of the first layer's gradient" })
  const span = await spanOf(target, pauses(inTime))
  const work = () => ({ milliseconds: performance.now() - started, seed })
  const doubtsOf = async (
    { table, targets }: { table: Float64Array; targets: readonly PlainTargets[] },
    cells: boolean,
  ): Promise<Doubts & { readonly examined: boolean }> => {
    const neighbours = untoldNeighbours(
      table,
      columns,
      target.settings.batchSize,
      typeof span === 'string' ? undefined : span,
    )
    const doubts = await doubtsAbout(target, columns, table, targets, cells, pauses(inTime))
    const untold = neighbours.map((mark, cell) => mark | (doubts?.untold[cell] ?? 0))
    return { untold, mixtures: doubts?.mixtures ?? false, examined: doubts !== undefined }
  }
  const exactly = async (
    method: 'span' | 'spear',
    { table, targets, labels, residual, contradicted }: ExactRows,
  ): Promise<TableLeakage> => {
    // linear algebra leaves no cell open, but noise may hide which of two values it is
    const doubts = await doubtsOf({ table, targets: [targets] }, target.rounding > 0)
    const doubt = wordsOf(doubts)
    const noisy = residual > likelyResidual(target)
    const status = doubt !== '' ? 'undetermined' : doubts.examined && !noisy ? 'proven' : 'matched'
    const reason = `these records stand in the gradient of the first layer, and with their targets they re-create everything that was shared up to ${residual.toExponential(1)}`
    const unexamined = doubts.examined ? '' : '; whether others would as well was not examined in time'
    const others = contradicted ? '; the labels that were given are not theirs' : ''
    const more = noisy ? '; that is more than the noise explains, so that numbers may be off' : ''
    return {
      ...{ status, method, labels, residual, floor, reason: `${reason}${doubt}${unexamined}${more}${others}` },
      ...{ restarts: 0, evaluations: 0, runtime: undefined, ...work() },
      ...found(columns, table, target, (row, c) =>
        doubts.untold[row * columns.length + c] === 1 || (noisy && columns[c].column.kind === 'numeric') ? 0 : 1,
      ),
    }
  }
  let tried = typeof span === 'string' ? span : 'exact ways were not asked for'
  if (settings.exact && typeof span !== 'string') {
    const exact = await exactRows(target, span, columns, known, pauses(inTime))
    if (typeof exact !== 'string' && exact.residual <= floor) return exactly('span', exact)
    tried =
      typeof exact === 'string'
        ? exact
        : `the records in its span do not re-create it (${exact.residual.toExponential(1)})`
    const rows = await spearRows(target, span, columns, settings, known, started)
    if (rows) return exactly('spear', rows)
  }
  const {
    found: best,
    cut,
    ...others
  } = await searchTable(target, columns, settings, typeof span === 'string' ? undefined : span, floor, started)
  const { residual, confidence } = best
  // of one record a factor of the other sign may have another label
  const { scale, batchSize } = target.settings
  const isOpen = scale === 'auto' && batchSize === 1 && (settings.labels === 'infer' || settings.labels === 'joint')
  const labels = isOpen ? [] : best.labels
  const matched = residual <= floor
  const doubts = matched ? await doubtsOf(best, true) : undefined
  const doubt = doubts ? wordsOf(doubts) : ''
  return {
    ...{
      status: matched ? (doubt === '' ? 'matched' : 'undetermined') : cut ? 'cut' : 'failed',
      method: 'search',
      residual,
      floor,
      labels,
      ...others,
      ...work(),
    },
    reason: matched
      ? `these records re-create what was shared up to ${residual.toExponential(1)}${doubt}`
      : `the gradient of the best records is ${residual.toExponential(1)} of the shared one away (at most ${floor.toExponential(0)} is a match); no exact way: ${tried}`,
    ...found(columns, best.table, target, (row, c) => {
      const cell = row * columns.length + c
      return doubts?.untold[cell] === 1 ? 0 : confidence[cell]
    }),
  }
}

/**
 * The residual of the client's own records is below this in 999 cases of 1,000, where the noise was stated: a sum of n squares has the mean
 * n σ² and the deviation √(2 n) σ². Records above it are not the likeliest: another number, or one a little off, explains more.
 */
function likelyResidual({ settings, lost, gradients }: Target): number {
  if (settings.noise === 0) return Number.POSITIVE_INFINITY
  const [mean, variance] = [sum(lost), sum(lost.map((v, i) => (2 * v ** 2) / gradients[i].length))]
  return Math.max(RESIDUAL, Math.sqrt((mean + 3 * Math.sqrt(variance)) / squaredNorm(gradients)))
}

/** What else re-creates what was shared, in words; nothing where nothing else does. */
function wordsOf({ untold, mixtures }: Doubts): string {
  const count = untold.reduce((sum, mark) => sum + mark, 0)
  if (count > 0) return `; ${count} of their ${countOf(untold.length, 'cell')} could be otherwise, and they still would`
  return mixtures ? '; so would several records in place of each, whose mean it is' : ''
}

/** The records of a table. */
function found(
  columns: readonly PlacedColumn[],
  table: Float64Array,
  { settings: { batchSize } }: Target,
  sure: (row: number, column: number) => number,
) {
  const decided = snapped(table, columns, batchSize)
  const width = table.length / batchSize
  const rows = Array.from({ length: batchSize }, (_, row) => row)
  return {
    records: rows.map((row) => recordOf(columns, (i) => decided[row * width + i])),
    confidence: rows.map(
      (row): TableConfidence => Object.fromEntries(columns.map(({ column }, c) => [column.name, sure(row, c)])),
    ),
    inputs: Float32Array.from(decided),
  }
}

/** Rows that SPEAR proves, where all of them are records of the schema. */
async function spearRows(
  target: Target,
  span: Span,
  columns: readonly PlacedColumn[],
  { seed, signal, budget, onProgress }: TableSettings,
  known: Knowing,
  started: number,
): Promise<ExactRows | undefined> {
  const left = budget.milliseconds - (performance.now() - started)
  if (signal?.aborted || left <= 0) return undefined
  const { batchSize } = target.settings
  const spear = await spearTarget(target, {
    ...{ batchSize, seed, signal, budget: { draws: DRAWS, milliseconds: left } },
    onProgress: ({ directions, rank }) =>
      onProgress?.({ part: 0, words: `${directions} of ${countOf(rank, 'row')} by SPEAR` }),
  })
  const { status, data } = spear
  const table = data && Float64Array.from(data.dataSync())
  spear.dispose()
  if (status !== 'exact' || !table) return undefined
  const width = table.length / batchSize
  const rows = Array.from({ length: batchSize }, (_, row) => table.subarray(row * width, (row + 1) * width))
  const inTime = () => !signal?.aborted && performance.now() - started < budget.milliseconds
  const exact = await withTargets(target, span, snappedRows(rows, columns), known, pauses(inTime))
  return typeof exact !== 'string' && exact.residual <= known.floor ? exact : undefined
}
