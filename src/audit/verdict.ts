import { knownNames, number } from '../errors/checks'
import { countOf } from '../errors/counted'
import type { MeasuredCells, MeasuredLabels, MeasuredOriginal, TrialRecord } from './record'

/**
 * What a trial, or a row of trials, lets one say. The worst comes first.
 *
 * - `leaked-proven`: data that re-create what was shared and are determined by it; where the truth is known, they are it too.
 * - `leaked-recognised`: not proven, and an original can be recognised: closer to it than every guess, by the thresholds.
 * - `partly`: labels, tokens, or some samples' outlines: `shown` names each.
 * - `error`: the attack broke down. Nothing is known.
 * - `inconclusive`: the attack found nothing here, and nothing in the undefended gradient either, so that it says nothing about the
 *   defence; or nobody can tell, as the truth is not known.
 * - `matched-and-wrong`: data that re-create what was shared, and are not the client's.
 * - `matched-to-the-noise`: data that fit what was shared as well as the client's own, up to the defence's noise, and are not the client's.
 * - `not-recovered`: this attack did not recover anything within its evaluations. Never `safe`.
 * - `not-tried`: spared, as a cheaper attack proved the data.
 * - `not-applicable`: the attack does not apply here.
 */
export type AuditVerdict =
  | 'leaked-proven'
  | 'leaked-recognised'
  | 'partly'
  | 'error'
  | 'inconclusive'
  | 'matched-and-wrong'
  | 'matched-to-the-noise'
  | 'not-recovered'
  | 'not-tried'
  | 'not-applicable'

/** Every verdict, the worst first. */
export const VERDICTS: readonly AuditVerdict[] = [
  ...(['leaked-proven', 'leaked-recognised', 'partly', 'error', 'inconclusive', 'matched-and-wrong'] as const),
  ...(['matched-to-the-noise', 'not-recovered', 'not-tried', 'not-applicable'] as const),
]

/** When an original counts as recognised, or as partly shown. One table for every kind of data. */
export interface Thresholds {
  /** PSNR in dB from which a reconstruction can be taken for its original. Default 20. */
  readonly psnr: number
  /** dB by which it must be closer than gray, the mean and every decoy. Default 3, half of the squared error. */
  readonly margin: number
  /** PSNR in dB from which no difference can be seen, however close the guesses are. Default 40. */
  readonly indistinguishable: number
  /** Part of the different tokens that must be found, of which no more than this part may be strangers' complement. Default 0.5. */
  readonly tokens: number
  /** Part of a record's cells that must be right, and more of them than the commonest values get right. Default 0.9. */
  readonly cells: number
}

/** The thresholds where nothing is said. */
export const THRESHOLDS: Thresholds = { psnr: 20, margin: 3, indistinguishable: 40, tokens: 0.5, cells: 0.9 }

/** A trial, judged. */
export interface JudgedTrial extends TrialRecord {
  readonly verdict: AuditVerdict
  /** What leaked, in words, such as `2 of 4 samples recognised`. */
  readonly shown: readonly string[]
}

/** Whether something leaked at all. */
export const leaks = (verdict: AuditVerdict): boolean => VERDICTS.indexOf(verdict) <= VERDICTS.indexOf('partly')

/** Whether data leaked, and not labels or tokens alone. */
export const leaked = (verdict: AuditVerdict): boolean => verdict === 'leaked-proven' || verdict === 'leaked-recognised'

/** The worst of some verdicts; `not-applicable` of none. */
export const worst = (verdicts: readonly AuditVerdict[]): AuditVerdict =>
  VERDICTS.find((verdict) => verdicts.includes(verdict)) ?? 'not-applicable'

/** The verdict of one trial without its control. @param withData whether the truth is known */
export function verdictAlone(
  record: TrialRecord,
  limits: Thresholds,
  withData: boolean,
): Pick<JudgedTrial, 'verdict' | 'shown'> {
  const { status, measured, tokens, labels, cells, samples, floor = 0 } = record
  const is = (verdict: AuditVerdict, shown: readonly string[] = []) => ({ verdict, shown })
  if (status === 'error') return is('error')
  if (status === 'not-tried') return is('not-tried')
  if (status === 'refused') return is('not-applicable')
  const truth = measured !== undefined || cells !== undefined || tokens !== undefined || labels !== undefined
  if (!truth) {
    const alone = withoutTruth(record)
    // the data are known, and nothing was shown that could be compared with them
    return withData && alone.verdict === 'leaked-proven' ? is('partly', alone.shown) : alone
  }
  const { recognised, closer, exactRows } = samplesShown(record, limits)
  const exact = tokens?.exact ?? 0
  const told = tokens !== undefined && (exact > 0 || hasTokens(tokens, limits))
  // beside a sentence that is wrong, labels that luck explains say nothing
  const labelled = labels && (tokens === undefined || told || !isLuck(labels)) ? labelsShown(record, labels) : undefined
  const shown = [
    ...(recognised > 0 ? [`${recognised} of ${countOf(samples.length, cells ? 'record' : 'sample')} recognised`] : []),
    ...(recognised > 0 && cells ? [`${exactRows} of ${countOf(samples.length, 'record')} with every cell right`] : []),
    ...(closer > recognised
      ? [`${closer - recognised} of ${countOf(samples.length, cells ? 'record' : 'sample')} closer than every guess`]
      : []),
    ...(exact > 0 ? [`${exact} of ${countOf(tokens!.sequences, 'sequence')} word for word`] : []),
    ...(tokens && hasTokens(tokens, limits) ? [tokensWords(tokens)] : []),
    ...(labelled ? [labelled] : []),
  ]
  const all =
    (cells ? exactRows : recognised) === samples.length || (tokens !== undefined && exact === tokens.sequences)
  if (recognised > 0 || exact > 0) return is(status === 'proven' && all ? 'leaked-proven' : 'leaked-recognised', shown)
  const tells = closer > 0 || (tokens && hasTokens(tokens, limits)) || (labelled && !isLuck(labels!))
  if (shown.length > 0 && ((measured === undefined && cells === undefined) || tells)) return is('partly', shown)
  if (status === 'matched' || status === 'proven' || status === 'undetermined')
    return is(floor > NOISY ? 'matched-to-the-noise' : 'matched-and-wrong', shown)
  return is(shown.length > 0 ? 'partly' : 'not-recovered', shown)
}

/** How many samples a trial shows: recognised, closer than every guess, and records of a table of which every cell is right. */
export function samplesShown(
  { measured = [], cells = [] }: TrialRecord,
  limits: Thresholds,
): { readonly recognised: number; readonly closer: number; readonly exactRows: number } {
  const recognised = [
    ...measured.filter((one) => isRecognised(one, limits)),
    ...cells.filter((one) => isRecordRecognised(one, limits)),
  ]
  const closer = [...measured.filter((one) => isCloser(one, limits)), ...cells.filter(isRecordCloser)]
  const exactRows = cells.filter(({ right, of }) => right === of)
  return { recognised: recognised.length, closer: closer.length, exactRows: exactRows.length }
}

/** Labels that leaked, in words; undefined where they did not. A search that did not match claims nothing about labels. */
function labelsShown({ status, attack }: TrialRecord, labels: MeasuredLabels): string | undefined {
  // a rule may read the right labels where nothing vouches for them, and so does luck
  if (status === 'failed' && (attack !== 'label-inference' || isLuck(labels))) return undefined
  if (status === 'cut') return undefined
  const { right, of, chance } = labels
  if (right < of) return chance === undefined || isLuck(labels) ? undefined : `${right} of ${countOf(of, 'label')}`
  const all = of === 1 ? 'the label' : `all ${countOf(of, 'label')}`
  if (chance === undefined || !isLuck(labels)) return all
  const part = Math.round(100 * chance)
  return `${all}, as ${chance < 1 && part === 100 ? 'more than 99' : part} % of guesses have`
}

const tokensWords = ({ right, of, guess = 0 }: NonNullable<TrialRecord['tokens']>): string =>
  `${right} of ${countOf(of, 'token')}${guess > 0 ? `, where the commonest ones are ${guess}` : ''}`

/** Part of guesses from which labels that are right can be luck. */
const LUCK = 0.05

/** Whether that many labels can be right by luck; taken for so where nobody knows. */
const isLuck = ({ chance = 1 }: MeasuredLabels): boolean => chance > LUCK

/** A residual that float32 arithmetic does not explain: what was shared is noisy or coarse. */
const NOISY = 1e-3

/** Proofs, residuals and certainty alone, where nobody has the originals. */
function withoutTruth({ status, found, reason }: TrialRecord): Pick<JudgedTrial, 'verdict' | 'shown'> {
  if (status === 'proven') return { verdict: 'leaked-proven', shown: [reason] }
  if (status === 'partial' || ((status === 'matched' || status === 'undetermined') && found))
    return { verdict: 'partly', shown: [reason] }
  return { verdict: 'not-recovered', shown: [] }
}

/** Whether an original can be recognised. */
const isRecognised = (one: MeasuredOriginal, { psnr, indistinguishable, ...limits }: Thresholds): boolean =>
  one.psnr >= indistinguishable || (one.psnr >= psnr && isCloser(one, { psnr, indistinguishable, ...limits }))

/** Whether a reconstruction is closer than every guess. */
const isCloser = ({ psnr, baselines }: MeasuredOriginal, { margin }: Thresholds): boolean =>
  Object.values(baselines).every((guess) => psnr >= guess + margin)

const hasTokens = (
  { right, of, claimed, guess = 0 }: NonNullable<TrialRecord['tokens']>,
  { tokens }: Thresholds,
): boolean => right >= tokens * of && right >= tokens * claimed && right > guess

/** Whether a record of a table can be recognised. */
const isRecordRecognised = ({ right, of, guess }: MeasuredCells, { cells }: Thresholds): boolean =>
  right >= cells * of && right > guess

/** Whether a record is closer than the guess: at least half of the cells that the guess has wrong are right, over and above it. */
const isRecordCloser = ({ right, of, guess }: MeasuredCells): boolean =>
  of > guess && right - guess >= HALF * (of - guess)

const HALF = 0.5

/** Thresholds with their defaults. @throws DlgError `invalid-option` */
export function checkedThresholds(given: Partial<Thresholds>): Thresholds {
  knownNames('thresholds', given, Object.keys(THRESHOLDS))
  const limits = { ...THRESHOLDS, ...given }
  for (const name of ['psnr', 'margin', 'indistinguishable'] as const)
    number(`thresholds.${name}`, limits[name], (v) => v >= 0 && v <= 1000, 'a number of dB from 0 to 1000')
  number('thresholds.cells', limits.cells, (v) => v > 0 && v <= 1, 'a number above 0, at most 1')
  number('thresholds.tokens', limits.tokens, (v) => v > 0 && v <= 1, 'a number above 0, at most 1')
  return limits
}
