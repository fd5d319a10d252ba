import type { Leakage } from '../attacks/matching/leakage'

type Certain = Pick<Leakage, 'certainty'>

/** What of a match is not determined, and how much, in one line; undefined where nothing is, or where nobody looked. */
export function undeterminedWords({ certainty }: Certain): string | undefined {
  if (!certainty || certainty.determined) return undefined
  const { fraction, free, examined, undetermined } = certainty
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
  ]
  const together = free > 0 ? `, in ${examined === 'a subspace' ? 'at least ' : ''}${free} combinations` : ''
  return `not determined: ${parts.length > 0 ? parts.join(', ') : 'combinations in which each number hardly moves'}${together}`
}

/** The same as numbers, for a report. */
export function certaintyReport({ certainty }: Certain) {
  if (!certainty) return undefined
  const { determined, fraction, free, floor, examined, evaluations, undetermined } = certainty
  return {
    determined,
    fraction,
    labels: undetermined.labels,
    scale: undetermined.scale,
    free,
    floor,
    examined,
    evaluations,
  }
}
