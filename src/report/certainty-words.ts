import type { Leakage } from '../attacks/matching/leakage'

type Certain = Pick<Leakage, 'certainty'>

/** The undetermined part of a match, in one line; undefined where there is none, or where nobody looked. */
export function undeterminedWords({ certainty }: Certain): string | undefined {
  if (!certainty || certainty.determined) return undefined
  const { fraction, free, examined, undetermined, mixtures, others } = certainty
  const { labels, scale } = undetermined
  const percent = 100 * fraction
  const parts = [
    ...(fraction > 0
      ? [
          `${percent < 1 ? percent.toPrecision(1) : percent.toFixed(0)} % of the numbers of the data (hatched in pictures)`,
        ]
      : []),
    ...(labels.length > 0 ? [`the targets of ${labels.join(', ')}`] : []),
    ...(scale ? ['the factor'] : []),
    ...(mixtures ? ['how many samples there were: the mean of several has the gradient of one'] : []),
  ]
  if (others.length > 0)
    return `not determined: other data match as well (${others.length} found), which differ in ${percent < 1 ? percent.toPrecision(1) : percent.toFixed(0)} % of their numbers (hatched in pictures)`
  const together = free > 0 ? `, in ${examined === 'a subspace' ? 'at least ' : ''}${free} combinations` : ''
  return `not determined: ${parts.length > 0 ? parts.join(', ') : 'combinations in which each number hardly moves'}${together}`
}

/** The certainty as numbers, for a report. */
export function certaintyReport({ certainty }: Certain) {
  if (!certainty) return undefined
  const { determined, mixtures, fraction, free, floor, examined, evaluations, undetermined, others, anotherStart } =
    certainty
  return {
    determined,
    mixtures,
    others: others.length,
    anotherStart,
    fraction,
    labels: undetermined.labels,
    scale: undetermined.scale,
    free,
    floor,
    examined,
    evaluations,
  }
}
