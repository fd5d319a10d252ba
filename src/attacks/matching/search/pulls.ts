import type { Attack } from '../attack'
import type { Settings } from '../options'
import type { TargetReading } from '../point'
import type { Pull } from './evaluation'
import { groupMeans } from './group'
import type { RestartOutcome } from './search'

/** What each restart is pulled to; a restart that diverged is not. Undefined where fewer than two have not. */
export function pullsOf(
  attack: Attack,
  { consistency, dataRange: [low, high] }: Settings,
  trials: readonly RestartOutcome[],
): readonly (Pull | undefined)[] | undefined {
  const members = trials.filter(({ point, relativeLoss }) => point.every(Number.isFinite) && relativeLoss < Infinity)
  if (members.length < 2) return undefined
  const best = members.reduce((a, b) => (b.relativeLoss < a.relativeLoss ? b : a))
  // the best comes first: the others are brought into its order
  const inOrder = [best, ...members.filter((one) => one !== best)]
  const { shape } = attack.inputsOf(best.point)[0]
  const means = groupMeans(
    inOrder.map(({ point }) => ({
      data: point.slice(0, attack.data),
      targets: rowsOf(attack.targetsOf(point), shape[0]),
    })),
    { shape, targetCost: targetCost(attack), shift: consistency.shift },
  )
  const weight = (consistency.weight * attack.objective.objectivePerLoss) / (high - low) ** 2
  return trials.map((trial) => {
    const at = inOrder.indexOf(trial)
    return at < 0 ? undefined : { mean: means[at], weight }
  })
}

/** Samples with known targets that differ are never each other's pair. */
const KNOWN_COST = 1e9

const targetCost = ({ objective: { fixedPlaces, point } }: Attack): number =>
  fixedPlaces ? Number.POSITIVE_INFINITY : point.targets.length > 0 ? 1 : KNOWN_COST

/** The targets of each sample, of all outputs one after the other. */
const rowsOf = (readings: readonly TargetReading[], batch: number): number[][] =>
  Array.from({ length: batch }, (_, i) =>
    readings.flatMap(({ values }) => {
      const size = values.length / batch
      return [...values.subarray(i * size, (i + 1) * size)]
    }),
  )
