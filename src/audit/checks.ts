import { MOST_POINTS } from '../attacks/contract/trace'
import { requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { isAssumptions } from './assumptions'
import type { RunAbout, RunHeader } from './journal'
import type { Judgement } from './judge'
import type { KnownLeak } from './known'
import type { Plan } from './plan'
import type { TrialRecord } from './record'
import { VERDICTS } from './verdict'

const invalid = (what: string): DlgError => new DlgError('invalid-data', what)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether every one of these fields is a text. */
const hasTexts = (value: Readonly<Record<string, unknown>>, names: readonly string[]): boolean =>
  names.every((name) => typeof value[name] === 'string')

const STATUSES: ReadonlySet<TrialRecord['status']> = new Set([
  ...(['proven', 'matched', 'undetermined', 'partial', 'failed', 'refused', 'cut', 'error', 'not-tried'] as const),
])

const hasNumbers = (value: unknown, names: readonly string[]): boolean =>
  isObject(value) && names.every((name) => Number.isFinite(value[name]))

/** Whether these are numbers where they are there. */
const hasNumbersOrNone = (value: unknown, names: readonly string[]): boolean =>
  isObject(value) && names.every((name) => value[name] === undefined || Number.isFinite(value[name]))

/** Whether what was measured can be judged and shown, and what was found is in the run's own folder. */
function hasMeasures(entry: Readonly<Record<string, unknown>>): boolean {
  const { measured, labels, tokens, found, trace, cells, utility } = entry
  const isMeasured = (one: unknown): boolean =>
    hasNumbers(one, ['slot', 'mse', 'psnr', 'rank', 'among']) &&
    hasTexts(one as Readonly<Record<string, unknown>>, ['sample']) &&
    isObject((one as { baselines?: unknown }).baselines) &&
    Object.values((one as { baselines: object }).baselines).every(Number.isFinite)
  const isCells = (one: unknown): boolean =>
    hasNumbers(one, ['slot', 'right', 'of', 'guess']) && hasTexts(one as Readonly<Record<string, unknown>>, ['sample'])
  const isFound = (one: unknown): boolean =>
    isObject(one) &&
    Array.isArray(one.shape) &&
    (one.file === undefined || (typeof one.file === 'string' && /^found\/[\w-]+\.npz$/.test(one.file)))
  return (
    (measured === undefined || (Array.isArray(measured) && measured.every(isMeasured))) &&
    (labels === undefined || (hasNumbers(labels, ['right', 'of']) && hasNumbersOrNone(labels, ['chance']))) &&
    (tokens === undefined ||
      (hasNumbers(tokens, ['exact', 'sequences', 'right', 'of', 'claimed']) && hasNumbersOrNone(tokens, ['guess']))) &&
    (utility === undefined || (hasNumbers(utility, ['cosine', 'relativeError']) && isCosine(utility))) &&
    (cells === undefined || (Array.isArray(cells) && cells.every(isCells))) &&
    (found === undefined || isFound(found)) &&
    (trace === undefined || isTrace(trace))
  )
}

const isCosine = (utility: unknown): boolean => Math.abs((utility as { readonly cosine: number }).cosine) <= 1

/** Whether these are points of a search, in the order of their evaluations. */
const isTrace = (trace: unknown): boolean =>
  Array.isArray(trace) &&
  trace.length <= MOST_POINTS &&
  trace.every(
    (point, i) =>
      Array.isArray(point) &&
      point.length === 2 &&
      point.every((value) => Number.isFinite(value) && value >= 0) &&
      (i === 0 || point[0] >= trace[i - 1][0]),
  )

/** Whether this is a record of a trial, as far as its readers need. */
export const isRecord = (entry: unknown): entry is TrialRecord =>
  isObject(entry) &&
  entry.type === 'trial' &&
  hasTexts(entry, ['key', 'attack', 'defence', 'description', 'attacker', 'status', 'reason']) &&
  Array.isArray(entry.samples) &&
  entry.samples.every((name) => typeof name === 'string') &&
  isObject(entry.evidence) &&
  STATUSES.has(entry.status as TrialRecord['status']) &&
  (entry.attacker === 'adaptive' || entry.attacker === 'unaware') &&
  (entry.assumes === undefined || isAssumptions(entry.assumes)) &&
  hasMeasures(entry) &&
  Number.isInteger(entry.client) &&
  Number.isFinite(entry.evaluations) &&
  Number.isFinite(entry.milliseconds)

/** @throws DlgError `invalid-data` */
export function requireRecord(entry: TrialRecord): void {
  if (!isRecord(entry)) throw invalid(`a record is ${show(entry)}; it must be one that an audit made`)
}

/** @throws DlgError `invalid-data` for what is neither an audit's result nor a journal's */
export function requireRun(run: {
  readonly records: readonly TrialRecord[]
  readonly plan: Pick<Plan, 'undefended' | 'withData'> & Partial<Pick<Plan, 'chains'>> & { readonly trials?: number }
}): void {
  const right = 'what audit gave, or runOf of a journal'
  requireObject('the run', run, right)
  const { records, plan } = run
  if (
    !Array.isArray(records) ||
    !isObject(plan) ||
    typeof plan.undefended !== 'boolean' ||
    typeof plan.withData !== 'boolean'
  )
    throw invalid(`the run has records ${show(records)} and plan ${show(plan)}; it must be ${right}`)
  const { chains, trials } = plan
  if (chains !== undefined && !(Array.isArray(chains) && chains.every((chain) => Array.isArray(chain?.trials))))
    throw invalid(`the plan has chains ${show(chains)}; it must be ${right}`)
  if (trials !== undefined && !Number.isInteger(trials))
    throw invalid(`the plan has trials ${show(trials)}; it must be a whole number`)
  for (const record of records) requireRecord(record)
}

/** @throws DlgError `invalid-data` */
export function requireJudgement(judgement: Pick<Judgement, 'defences' | 'rows' | 'missing'>): void {
  const right = 'what judge gave'
  requireObject('the judgement', judgement, right)
  const { defences, rows, missing } = judgement
  if (typeof missing !== 'number') throw invalid(`the judgement has missing ${show(missing)}; it must be ${right}`)
  const lists = [defences, rows]
  if (!lists.every((list) => Array.isArray(list) && list.every(isObject)))
    throw invalid(`the judgement has defences ${show(defences)} and rows ${show(rows)}; it must be ${right}`)
}

/** @throws DlgError `invalid-data` for a judgement that is not whole */
export function requireWholeJudgement(judgement: Judgement): void {
  requireJudgement(judgement)
  const { control, thresholds, summary, verdict } = judgement
  const rows = Array.isArray(control) && control.every((row) => isObject(row) && Array.isArray(row.trials))
  if (!rows || !isObject(thresholds) || typeof summary !== 'string' || !VERDICTS.includes(verdict))
    throw invalid('the judgement is not whole; it must be what judge gave')
}

/** @throws DlgError `invalid-data` */
export function requireKnown(known: readonly KnownLeak[]): void {
  const isKnown = (one: unknown) => isObject(one) && hasTexts(one, ['reason']) && isRecord(one.trial)
  if (!Array.isArray(known) || !known.every(isKnown))
    throw invalid(`known is ${show(known)}; it must be a list of {trial, reason}, as withoutKnown gives it`)
}

/** @throws DlgError `invalid-data` */
export function requireAbout(about: RunAbout): void {
  const right = '{versions, seed, evaluations, batchSize}, as the header of a run has it'
  requireObject('about', about, right)
  if (!isAbout(about)) throw invalid(`about is not whole; it must be ${right}`)
}

/** Whether this says how a run was made, as far as reports show it. */
export const isAbout = (about: unknown): about is RunAbout =>
  isObject(about) &&
  isObject(about.versions) &&
  hasTexts(about.versions, Object.keys(about.versions)) &&
  hasNumbers(about, ['seed', 'evaluations', 'batchSize']) &&
  (about.range === undefined ||
    (Array.isArray(about.range) && about.range.length === 2 && about.range.every(Number.isFinite))) &&
  (about.command === undefined || typeof about.command === 'string')

/** @throws DlgError `invalid-data` */
export function requirePlan(plan: Plan): void {
  requireObject('the plan', plan, 'that of an audit')
  const { key, chains, undefended, withData } = plan
  if (
    typeof key !== 'string' ||
    !Array.isArray(chains) ||
    !chains.every((chain) => Array.isArray(chain?.trials)) ||
    typeof undefended !== 'boolean' ||
    typeof withData !== 'boolean'
  )
    throw invalid('the plan is not whole; it must be that of an audit')
}

/** Whether this is the header of a run. */
export const isHeader = (entry: unknown): entry is RunHeader =>
  isObject(entry) &&
  entry.type === 'run' &&
  typeof entry.key === 'string' &&
  typeof entry.undefended === 'boolean' &&
  typeof entry.withData === 'boolean' &&
  typeof entry.trials === 'number' &&
  isObject(entry.about)
