import { partsOf } from '../../measure/certainty/gradient-certainty'
import { timesFactor } from '../../measure/certainty/shared-residual'
import { normOf } from '../../numbers/norms'
import { atOnce } from '../../numbers/steps'
import { fittedFactor } from '../../numbers/stretches'
import { flat } from '../../numbers/values'
import { evaluate, type Values } from '../../runtime/runtime'
import type { Attack } from './attack'
import { type Unconstrained, unconstrainedAt } from './certainty'
import type { Settings } from './options'
import type { TargetReading } from './point'
import { near } from './scale-cause'

/**
 * What a match says of its labels and of a common factor of what was shared. The gradient of a cross-entropy is zero where the
 * labels q are what the model believes, p, and it is linear in q. So labels p + t (q − p) have t times the gradient: labels that are
 * searched and a factor are one unknown between them.
 */
export interface FactorReading {
  /** The point, with the labels that go with the factor. */
  readonly point: Float64Array
  /** What the gradient there must be multiplied by to come closest to what was shared. */
  readonly factor: number
  /** Whether the factor is not known: it was asked to be fitted, or it is not the one that was stated. */
  readonly open: boolean
  /** Labels of one class for each sample that explain what was shared just as well, each with its factor. */
  readonly others: readonly HardLabels[]
}

/** A class for each row of probabilities, of all outputs one after the other, and the factor that goes with them. */
export interface HardLabels {
  readonly labels: readonly number[]
  readonly factor: number
}

/** How near to 0 or 1 a probability is that is taken for it. */
const NEAR = 0.02
/** Part of ‖g‖ up to which two gradients are taken for equal here: labels of one class or not is a coarse question. */
const ALIKE = 0.02

/**
 * Reads the labels of a match and its factor:
 *
 * - a distance that does not see a factor, such as a cosine, leaves the labels anywhere on their ray. They are put where the factor
 *   is the one that was stated;
 * - with `scale: 'auto'` they are put where each is one class, if there is such a place, and the factor follows;
 * - labels that were found with a factor that nobody stated stay as they are. `others` says which labels of one class explain what
 *   was shared as well, with a factor.
 */
export async function readFactor(attack: Attack, at: Float64Array, settings: Settings): Promise<FactorReading> {
  const auto = settings.scale === 'auto'
  if (attack.objective.point.targets.length === 0) {
    const factor = auto || settings.distance.factorFree ? await attack.scaleAt(at) : 1
    return { point: at, factor, open: auto || !near(factor, 1), others: [] }
  }
  const here = unconstrainedAt(attack, at, settings)
  const sure: FactorReading = { point: at, factor: 1, open: false, others: [] }
  // labels of one class each, with the factor that was stated
  if (!settings.distance.factorFree && (settings.scaleStated || here.targets.every(isSure))) return sure
  const { runtime } = settings
  const { parameters, lasting } = attack.objective
  const executable = await runtime.compile(here.programs.gradients)
  try {
    const evaluator = await executable.bind(parameters, lasting)
    try {
      const inputs = partsOf(here.groups, here.point).slice(0, here.inputs.length)
      const believed = flat(await evaluate(runtime, here.programs.believed, parameters, inputs))
      return await readLabels(attack, at, here, believed, settings, (point) =>
        evaluator.run(partsOf(here.groups, point)),
      )
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

/** @param gradientAt the client's gradient at an unconstrained point */
async function readLabels(
  attack: Attack,
  at: Float64Array,
  here: Unconstrained,
  believed: Float64Array,
  settings: Settings,
  gradientAt: (point: Float64Array) => Promise<Values[]>,
): Promise<FactorReading> {
  const auto = settings.scale === 'auto'
  const { shared } = attack.objective
  const own = await gradientAt(here.point)
  const factor = atOnce(fittedFactor(own, shared))
  const plain: FactorReading = { point: at, factor, open: auto || !near(factor, 1), others: [] }
  const data = here.point.length - believed.length
  const found = here.point.subarray(data)
  const withLabels = (labels: Float64Array) => {
    const point = here.point.slice()
    point.set(labels, data)
    return point
  }
  // whether the labels are on such a ray at all
  const none = await gradientAt(withLabels(believed))
  if (normOf(none) > ALIKE * normOf(own)) return plain
  const readings = hardLabels(here, found, believed)
  /** The match with other labels, if what was shared is this many times its gradient. */
  const settled = async (labels: Float64Array, times: number): Promise<FactorReading | undefined> => {
    const moved = await gradientAt(withLabels(labels))
    const misses = (values: readonly Values[], by: number) =>
      normOf(timesFactor(values, by).map((tensor, i) => tensor.map((v, k) => v - shared[i][k])))
    if (misses(moved, times) > ALIKE * normOf(shared) + misses(own, factor)) return undefined
    const point = attack.objective.point.withTargets(at, labels)
    return { point, factor: times, open: auto, others: [] }
  }
  if (auto) {
    // with two classes there are two, of which one turns the sign
    const upright = readings.filter((reading) => reading.factor * factor > 0)
    const [one, ...more] = readings.length > 1 ? upright : readings
    const chosen = one && more.length === 0 ? await settled(one.row, factor * one.factor) : undefined
    return chosen ?? plain
  }
  if (!near(factor, 1)) {
    const labels = found.map((q, i) => believed[i] + factor * (q - believed[i]))
    return (inside(here, labels) ? await settled(labels, 1) : undefined) ?? plain
  }
  const hard = readings.some((reading) => near(reading.factor, 1))
  if (hard || readings.length === 0) return { ...plain, open: false }
  return { ...plain, open: true, others: readings.map(({ labels, factor: times }) => ({ labels, factor: times })) }
}

/** Whether every row of targets is one class; nothing is known of numbers. */
function isSure({ kind, shape, values }: TargetReading): boolean {
  if (kind === 'numbers') return true
  if (kind === 'bits') return values.every((q) => Math.min(q, 1 - q) <= NEAR)
  const classes = shape[shape.length - 1]
  for (let at = 0; at < values.length; at += classes)
    if (values.subarray(at, at + classes).reduce((a, b) => Math.max(a, b)) < 1 - NEAR) return false
  return true
}

interface Reading extends HardLabels {
  /** The labels as probabilities. */
  readonly row: Float64Array
}

/**
 * Labels of one class for each sample on the ray from p through q: e_c = p + (q − p) / f. In each row, f is the one that fits best:
 *
 * f = ⟨q − p, e_c − p⟩ / ‖e_c − p‖²
 */
function hardLabels({ targets }: Unconstrained, found: Float64Array, believed: Float64Array): Reading[] {
  if (targets.some(({ kind }) => kind === 'numbers')) return []
  let readings: Reading[] | undefined
  let start = 0
  for (const { kind, shape, values } of targets) {
    const classes = kind === 'bits' ? 1 : shape[shape.length - 1]
    for (let at = start; at < start + values.length; at += classes) {
      const [q, p] = [found, believed].map((all) => all.subarray(at, at + classes))
      const own = rowReadings(q, p)
      const before: Reading[] | undefined = readings
      readings =
        before === undefined
          ? own.map(({ label, factor, row }) => ({ labels: [label], factor, row: withRow(found, at, row) }))
          : before.flatMap((reading) =>
              own
                .filter(({ factor }) => near(factor, reading.factor))
                .map(({ label, row }) => ({
                  ...reading,
                  labels: [...reading.labels, label],
                  row: withRow(reading.row, at, row),
                })),
            )
    }
    start += values.length
  }
  return readings ?? []
}

function withRow(all: Float64Array, at: number, row: readonly number[]): Float64Array {
  const out = Float64Array.from(all)
  out.set(row, at)
  return out
}

/** The classes, or for a single number 0 and 1, that one row can stand for. */
function rowReadings(q: Float64Array, p: Float64Array): { label: number; factor: number; row: number[] }[] {
  const options = q.length === 1 ? [[0], [1]] : Array.from(q, (_, c) => Array.from(q, (_, i) => (i === c ? 1 : 0)))
  const moved = q.map((v, i) => v - p[i])
  const length = Math.hypot(...moved)
  return options.flatMap((row, label) => {
    const towards = row.map((v, i) => v - p[i])
    const square = towards.reduce((sum, v) => sum + v * v, 0)
    if (!(square > 0) || length === 0) return []
    const factor = towards.reduce((sum, v, i) => sum + v * moved[i], 0) / square
    const left = Math.hypot(...towards.map((v, i) => moved[i] - factor * v))
    return left <= ALIKE * length ? [{ label, factor, row }] : []
  })
}

/** Whether labels are probabilities, up to rounding. */
function inside({ targets }: Unconstrained, labels: Float64Array): boolean {
  let start = 0
  return targets.every(({ kind, values }) => {
    const own = labels.subarray(start, start + values.length)
    start += values.length
    return kind === 'numbers' || own.every((v) => v >= -NEAR && v <= 1 + NEAR)
  })
}
