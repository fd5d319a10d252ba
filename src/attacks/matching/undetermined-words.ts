import { countOf } from '../../errors/counted'
import type { Leakage } from './leakage'

/**
 * The undetermined part of a match, in one line; undefined where there is none, or where nobody looked.
 *
 * @param marked how the numbers are marked where they are shown, such as `hatched in pictures`
 */
export function undeterminedWords({ certainty }: Pick<Leakage, 'certainty'>, marked?: string): string | undefined {
  if (!certainty || certainty.determined) return undefined
  const { fraction, free, examined, undetermined, mixtures, others } = certainty
  const { labels, scale } = undetermined
  const percent = `${100 * fraction < 1 ? (100 * fraction).toPrecision(1) : (100 * fraction).toFixed(0)} %`
  const where = marked === undefined ? '' : ` (${marked})`
  const single = examined === 'single unknowns' ? 'at least ' : ''
  const parts = [
    ...(fraction > 0 ? [`${single}${percent} of the numbers of the data${where}`] : []),
    ...(labels.length > 0 ? [`the targets of ${labels.join(', ')}`] : []),
    ...(scale ? ['the factor'] : []),
    ...(mixtures ? ['how many samples there were: the mean of several has the gradient of one'] : []),
  ]
  if (others.length > 0)
    return `not determined: other data match as well (${others.length} found), which differ in ${percent} of their numbers${where}`
  const least = examined === 'a subspace' ? 'at least ' : ''
  const together = free === 0 ? [] : [`in ${least}${countOf(free, 'combination')}`]
  const all = parts.length > 0 ? [...parts, ...together] : [...together, 'each number hardly moves']
  return `not determined: ${all.join(', ')}`
}
