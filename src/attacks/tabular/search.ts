import type { Target } from '../../client/target'
import type { PlainTargets } from '../../client/target-values'
import { residualOf } from '../../measure/residual'
import { CUT, nothingIfCut, paced, pauses } from '../contract/pause'
import { labelsOrNone } from '../labels/infer-labels'
import { type Leakage, leakage } from '../matching/leakage'
import { type LeakageOptions, leakageOptions } from '../matching/options'
import type { TableSettings } from './options'
import { type Pooled, pooled, type Trial } from './pool'
import type { PlacedColumn } from './schema'
import { inRange, snapped } from './snap'
import { inSpan, isCoarse, type Span } from './span'
import { tableOf, tableTarget } from './table-target'

/** Restarts of one round: after each round, what was found is tried. */
const ROUND = 2

/** Width of the range whose twentieth is the step of the homotopy's signed Adam: TabLeak's 0.06. */
const RANGE = [-0.6, 0.6] as const

/** Iterations in which L-BFGS refines the numbers, once categories are fixed. */
const REFINED = 60

/** A table whose cells are decided. */
export interface Candidate extends Pooled {
  /** ‖g − g*‖ / ‖g*‖ of the records. */
  readonly residual: number
}

/** What a search ends with. */
export interface Searched {
  readonly found: Candidate
  readonly cut: boolean
  readonly restarts: number
  readonly evaluations: number
  readonly runtime: string
}

/** A search under way. */
interface Search {
  readonly target: Target
  readonly columns: readonly PlacedColumn[]
  readonly rows: number
  /** Inputs of a row, and which of them are numbers of a numeric column. */
  readonly width: number
  readonly isNumber: readonly boolean[]
  readonly settings: TableSettings
  readonly labels: NonNullable<LeakageOptions['labels']>
  readonly span: Span | undefined
  readonly floor: number
  readonly started: number
  evaluations: number
}

/**
 * Searches for a table whose gradient is the shared one, by gradient matching over unknowns of which any values are a table: a
 * homotopy through the network's kinks with the squared distance. After each round of two restarts the trials and their pool are
 * decided: categories are fixed, numbers refined, and the residual of these records is computed. The search ends with the
 * first records that re-create what was shared.
 *
 * @param span what the first layer's gradient says of the rows, where it says something
 * @param floor the residual up to which records re-create what was shared
 * @param started when the attack began, which its budget counts from
 * @throws CUT where the caller has aborted before anything was evaluated
 */
export async function searchTable(
  target: Target,
  columns: readonly PlacedColumn[],
  settings: TableSettings,
  span: Span | undefined,
  floor: number,
  started: number,
): Promise<Searched> {
  const rows = target.settings.batchSize
  const wanted = () => !settings.signal?.aborted
  // without a rule they are searched with the data
  const labels =
    settings.labels === 'infer' ? ((await labelsOrNone(target, pauses(wanted)))?.labels ?? 'joint') : settings.labels
  const isNumber = columns.flatMap(({ column, size }) => new Array<boolean>(size).fill(column.kind === 'numeric'))
  const search: Search = {
    width: isNumber.length,
    isNumber,
    target,
    columns,
    rows,
    settings,
    started,
    labels,
    span,
    floor,
    evaluations: 0,
  }
  const trials: Trial[] = []
  let best: Candidate | undefined
  let [restarts, cut, runtime] = [0, false, '']
  while (restarts < settings.restarts && !cut && !(best && best.residual <= floor)) {
    const round = await searchRound(search, restarts).catch(nothingIfCut)
    if (!round) {
      if (!best) throw CUT
      cut = true
      break
    }
    restarts += round.restarts
    ;({ cut, runtime } = round)
    trials.push(...round.trials)
    for (const candidate of [
      pooled(trials, columns, rows),
      ...round.trials.map((trial) => pooled([trial], columns, rows)),
    ]) {
      cut ||= isOver(search)
      if (cut) break
      best = await decide(search, candidate)
      cut ||= best.residual > floor && isOver(search)
      if (best.residual <= floor) break
    }
  }
  // without a match, residuals do not say which records have more right cells: their pool has, as a rule
  const pool = pooled(trials, columns, rows)
  const found =
    best && best.residual <= floor
      ? best
      : await measured(search, snapped(inRange(pool.table, columns, rows), columns, rows), pool)
  return { found, cut, restarts, evaluations: search.evaluations, runtime }
}

/** A round of restarts. Searched targets are known for its best trial alone, which is then the only one. */
async function searchRound(search: Search, before: number) {
  const { target, columns, settings, labels, rows } = search
  const { iterations, concurrency, onProgress } = settings
  const leak = await run(search, tableTarget(target, columns), {
    ...{ preset: 'homotopy', distance: 'l2', dataRange: RANGE, init: 'normal', priors: [], iterations, labels },
    ...{ restarts: Math.min(ROUND, settings.restarts - before), concurrency: Math.min(concurrency, ROUND) },
    ...{ seed: settings.seed + before, tolerance: 0 },
    onIteration:
      onProgress &&
      (({ restart, iteration, relativeLoss }) =>
        onProgress({
          part: (before + restart + Math.min(1, iteration / iterations)) / settings.restarts,
          words: `restart ${before + restart + 1} of at most ${settings.restarts}, iteration ${iteration}, relative loss ${relativeLoss.toExponential(1)}`,
        })),
  })
  const joint = labels === 'joint'
  const targets = targetsOf(leak, joint)
  const trials = leak.trials
    .filter(({ restart }) => !joint || restart === leak.restart)
    .map(({ data, relativeLoss }): Trial => {
      return { table: tableOf(data.dataSync(), columns, rows), labels: leak.labels, targets, relativeLoss }
    })
  const { runtime, status } = leak
  const restarts = leak.trials.length
  leak.dispose()
  return { trials, restarts, runtime, cut: status === 'aborted' || status === 'budget' }
}

/** The targets of each output; classes that were searched are decided. */
const targetsOf = ({ outputs }: Leakage, joint: boolean): PlainTargets[] =>
  Object.values(outputs).map(({ labels, targets }) =>
    joint && labels.length === targets.shape[0]
      ? { labels }
      : { shape: targets.shape, values: targets.dataSync<'float32'>().slice() },
  )

/** Whether the caller has aborted, or the budget is spent. */
const isOver = ({ settings: { budget, signal }, started, evaluations }: Search): boolean =>
  signal?.aborted === true || performance.now() - started >= budget.milliseconds || evaluations >= budget.evaluations

/** Gradient matching within what is left of the budget. */
async function run(search: Search, target: Target, options: LeakageOptions): Promise<Leakage> {
  const { budget, signal } = search.settings
  const left = {
    evaluations: Math.max(1, budget.evaluations - search.evaluations),
    milliseconds: Math.max(1, budget.milliseconds - (performance.now() - search.started)),
  }
  const { scale } = target.settings
  const settings = leakageOptions({ ...options, scale, budget: left })
  const leak = await leakage(target, { ...settings, ...target.settings, signal })
  search.evaluations += leak.evaluations
  return leak
}

/**
 * Fixes the categories of a table and refines its numbers: by the span of the first layer's gradient, where numbers are linear in
 * what is known, and else by a search over them alone. Then whole numbers are rounded, and the residual is computed.
 */
async function decide(search: Search, pool: Pooled): Promise<Candidate> {
  const { columns, rows, span, floor } = search
  const decided = snapped(pool.table, columns, rows)
  const first = await measured(search, decided, pool)
  const hasNumbers = columns.some(({ column }) => column.kind === 'numeric')
  if (first.residual <= floor || !hasNumbers || isOver(search)) return first
  const numbers = pool.table.map((v, i) => (search.isNumber[i % search.width] ? v : decided[i]))
  let best = first
  const better = async (table: Float64Array): Promise<boolean> => {
    const next = await measured(search, snapped(table, columns, rows), pool)
    if (next.residual < best.residual) best = next
    return best.residual <= floor
  }
  let start: Float64Array = numbers
  if (span) {
    start = inSpan(span, numbers, columns, ({ kind }) => kind !== 'numeric')
    if ((await better(start)) || isOver(search)) return best
    const rounded = snapped(start, columns, rows)
    if (await better(inSpan(span, rounded, columns, (column) => column.kind !== 'numeric' || isCoarse(column))))
      return best
  }
  if (!isOver(search)) {
    const table = await refined(search, start, decided, pool).catch(nothingIfCut)
    if (table) await better(table)
  }
  return best
}

/** The numbers of a table after a search over them alone, from where they are. */
async function refined(
  search: Search,
  table: Float64Array,
  decided: Float64Array,
  pool: Pooled,
): Promise<Float64Array> {
  const { target, columns, isNumber, width } = search
  const free = Float32Array.from(decided, (_, i) => (isNumber[i % width] ? 1 : 0))
  const values = Float32Array.from(decided, (v, i) => (free[i] === 1 ? 0 : v))
  const leak = await run(search, tableTarget(target, columns, { free, values }), {
    ...{ preset: 'robust', restarts: 1, iterations: REFINED, priors: [], init: { data: table }, tolerance: 0 },
    labels: pool.targets.map((known) =>
      'labels' in known ? known.labels : { targets: { shape: known.shape, data: known.values } },
    ),
  })
  const found = leak.data.dataSync()
  leak.dispose()
  return decided.map((v, i) => (free[i] === 1 ? found[i] : v))
}

async function measured({ target }: Search, table: Float64Array, pool: Pooled): Promise<Candidate> {
  const rests = pauses(() => true)
  const residual = await residualOf(target, [table], pool.targets, (steps) => paced(steps, rests))
  return { ...pool, table, residual: Number.isFinite(residual) ? residual : Number.POSITIVE_INFINITY }
}
