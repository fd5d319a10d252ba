import { THREAT_MODELS, type ThreatModel } from '../../attacks'
import type { AuditVerdict, JudgedRow, JudgedTrial, Thresholds } from '../../audit'
import { countOf } from '../../errors/counted'

/** A verdict as people read it. */
export const WORDS: Readonly<Record<AuditVerdict, string>> = {
  'leaked-proven': 'leaked (proven)',
  'leaked-recognised': 'leaked (recognised)',
  partly: 'partly',
  error: 'error',
  inconclusive: 'inconclusive',
  'matched-and-wrong': 'matched and wrong',
  'matched-to-the-noise': 'matched to the noise',
  'not-recovered': 'not recovered',
  'not-tried': 'not tried',
  'not-applicable': 'not applicable',
}

/** What each verdict lets one say, in one sentence. */
export const MEANINGS: Readonly<Record<AuditVerdict, string>> = {
  'leaked-proven':
    'The data re-create what was shared and are determined by it; where the truth is known, they are it.',
  'leaked-recognised':
    'An original can be recognised: closer to it than every guess that needs no gradient, by the thresholds.',
  partly: 'Labels, tokens or outlines leaked, each of which is named.',
  error: 'The attack broke down. Nothing is known.',
  inconclusive:
    'Nothing was found, and the attack does not find these data without the defence either: it says nothing.',
  'matched-and-wrong': 'Data that re-create what was shared, and are not the client\u2019s.',
  'matched-to-the-noise':
    'Data that fit what was shared as well as the client\u2019s own, up to the noise, and are not the client\u2019s.',
  'not-recovered': 'This attack recovered nothing within its evaluations. That is no evidence of safety.',
  'not-tried': 'A cheaper attack proved the data already.',
  'not-applicable': 'The attack does not apply here.',
}

/** A cosine of three digits: 1.000 where nothing but rounding is lost. */
export function cosineWords(cosine: number): string {
  const words = cosine.toFixed(3)
  return 1 - Math.abs(cosine) > ROUNDING ? words.replace('1.000', '0.999') : words
}

/** What float64 leaves of 1 in a cosine of many numbers. */
const ROUNDING = 1e-9

/** The best PSNR of a trial, or the cells of its best record, as text; empty where nothing was measured. */
export function closest({ measured, cells }: Pick<JudgedTrial, 'measured' | 'cells'>): string {
  const [best] = [...(cells ?? [])].sort((a, b) => b.right - a.right)
  if (best) return `${best.right} of ${countOf(best.of, 'cell')}`
  if (!measured || measured.length === 0) return ''
  return `${Math.max(...measured.map(({ psnr }) => psnr)).toFixed(1)} dB`
}

/** When an original counts as recognised, for the kinds of data that the rows have. */
export function recognisedWords(rows: readonly JudgedRow[], limits: Thresholds): string {
  const trials = rows.flatMap((row) => row.trials)
  const of = (field: 'measured' | 'cells' | 'tokens') => trials.some((trial) => trial[field] !== undefined)
  const kinds = [
    ...(of('measured')
      ? [
          `at least ${limits.psnr} dB and ${limits.margin} dB above gray, mean and every other sample, or at least ${limits.indistinguishable} dB`,
        ]
      : []),
    ...(of('cells')
      ? [
          `at least ${+(100 * limits.cells).toPrecision(12)} % of the cells of a record, and more than the commonest values get right`,
        ]
      : []),
    ...(of('tokens') ? ['a sequence word for word'] : []),
  ]
  return kinds.length === 0 ? '' : `Recognised: ${kinds.join('; ')}.`
}

/** The attack of a trial, and its attacker where that makes a difference. */
export const attackOf = ({
  attack,
  attacker,
  defence,
}: Pick<JudgedTrial, 'attack' | 'attacker' | 'defence'>): string =>
  defence === 'none' ? attack : `${attack}, ${attacker}`

/** A threat model by its letter and name. */
export const threatModelWords = (letter: ThreatModel): string => `${letter} (${THREAT_MODELS[letter].name})`

/** Where the letters of threat models come from. */
export const LETTERS =
  'Letters of threat models are those of Carletti et al. 2025 (SoK: Gradient Inversion Attacks in Federated Learning).'

/** What the attacker of a trial is taken to know, and how the client trained; empty for runs of older versions. */
export function assumptionWords({ assumes }: Pick<JudgedTrial, 'assumes'>): string {
  if (!assumes) return ''
  const { threatModel, batchSize, mode, labels, steps, stage } = assumes
  return [
    threatModel ? threatModelWords(threatModel) : 'threat model not stated',
    `batch of ${batchSize}`,
    `${mode} mode`,
    `labels ${labels}`,
    steps === 1 ? '1 step' : countOf(steps, 'local step'),
    stage ?? 'stage of training not stated',
  ].join(', ')
}

/** A number of evaluations, or closed form. */
export const work = ({ evaluations, status }: Pick<JudgedTrial, 'evaluations' | 'status'>): string =>
  status === 'refused' || status === 'not-tried'
    ? ''
    : evaluations === 0
      ? 'closed form'
      : countOf(evaluations, 'evaluation')

/** Text as HTML and XML have it, in elements and in attributes. */
export const text = (words: string): string =>
  words.replace(/(?![\t\n])[\p{Cc}\ufffe\uffff]/gu, '').replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`)
