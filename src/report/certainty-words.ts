import type { Leakage } from '../attacks/matching/leakage'

type Certain = Pick<Leakage, 'certainty'>

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
