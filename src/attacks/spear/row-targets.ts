import type { TargetKind } from '../../client/model/criterion'
import type { TracedGradient } from '../../client/model/gradient'
import * as g from '../../graph'
import { match } from '../../measure/match'
import { normOf } from '../../numbers/norms'
import { pseudoInverse } from '../../numbers/singular-vectors'
import type { Steps } from '../../numbers/steps'
import { fittedFactor, meanOfTwo, relativeDistance } from '../../numbers/stretches'
import { inner } from '../../numbers/vectors'
import { evaluate, type Runtime, type Values } from '../../runtime/runtime'
import { nothingIfCut, type Pause, paced } from '../contract/pause'

/** The targets of recovered rows, and how well they explain what was shared. */
export interface RowTargets {
  /** Targets in the shape of the output. */
  readonly targets: Float64Array
  /** Classes, where the output has them. */
  readonly labels: readonly number[] | undefined
  /** ‖f g − g*‖ / ‖g*‖ over all shared tensors, f = `factor`. */
  readonly residual: number
  /** The factor that fits best, where it is not known; else 1. */
  readonly factor: number
  /** Whether the mean of several samples would pass for each row, as far as `tolerance` can tell: of samples in proportion to it. */
  readonly hidesMixtures: boolean
}

/** A batch of recovered rows in a traced model. */
export interface RowProblem {
  readonly runtime: Runtime
  readonly traced: TracedGradient
  readonly parameters: ReadonlyMap<string, Values>
  /** The node z of the layer, [batch, units]. */
  readonly sum: g.Node
  readonly kind: TargetKind
  /** [batch, in] */
  readonly rows: Float64Array
  /** ∂L/∂z of each row, as it was recovered, [batch, units]. */
  readonly felt: Float64Array
  readonly shared: readonly Values[]
  /** Whether a factor of what was shared is unknown. */
  readonly scaled: boolean
  /** Residual up to which two gradients are the same. */
  readonly tolerance: number
  /** The targets, where they are known: rows in any order. */
  readonly given?: Float32Array | undefined
}

/** Two samples in proportion to a row are so many times longer and shorter. */
const SPREAD = 0.25
/** A mixture shows where it is this many times further off than what counts as the same. */
const CLEAR = 4

/**
 * The target of each row, from its own ∂L/∂z. Targets that are known, which may be soft, go each to the row whose ∂L/∂z they make. Else
 * a class c gives ∂z_s(c), and the class that comes closest to the recovered ∂z_s is the label. Where targets are numbers, ∂z_s is affine in them, and they are solved for: so it is for a mean squared error and
 * for a binary cross-entropy. The gradient of rows and targets together is then held against all that was shared.
 */
export async function rowTargets(problem: RowProblem, pause: Pause): Promise<RowTargets | undefined> {
  const { traced, runtime, parameters, rows, sum, kind } = problem
  const target = traced.targets[0] as g.Node<'input'>
  const inputs = [...traced.inputs, target]
  const data = Float32Array.from(rows)
  const felt = g.grad(traced.loss, [sum])
  const executable = await runtime.compile({ inputs, outputs: felt })
  let targets: Float64Array | undefined
  try {
    const evaluator = await executable.bind(parameters)
    try {
      const feltAt = async (values: Float64Array) => (await evaluator.run([data, Float32Array.from(values)]))[0]
      targets = problem.given
        ? await assigned(problem, problem.given, feltAt, pause)
        : kind === 'classes'
          ? await classes(problem, feltAt, pause)
          : await solved(problem, feltAt, pause)
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
  if (!targets) return undefined
  const values = Float32Array.from(targets)
  const gradientAt = gradientsOn(problem, inputs, data, values)
  const found = await gradientAt(1)
  const width = target.shape[1]
  const classesFound =
    kind === 'classes'
      ? Array.from({ length: target.shape[0] }, (_, s) => targets.subarray(s * width, (s + 1) * width).indexOf(1))
      : kind === 'bits' && width === 1
        ? Array.from(targets, (v) => (v < 0.5 ? 0 : 1))
        : undefined
  // targets that were given may be soft
  const labels = classesFound?.includes(-1) ? undefined : classesFound
  const compared = async (to: readonly Values[]) => paced(comparison(found, to, problem.scaled), pause)
  const best = await compared(problem.shared).catch(nothingIfCut)
  if (!best) return undefined
  const { factor, residual } = best
  if (residual > problem.tolerance) return { targets, labels, factor, residual, hidesMixtures: false }
  const [longer, shorter] = [await gradientAt(1 + SPREAD), await gradientAt(1 - SPREAD)]
  const mixed = await paced(meanOfTwo(longer, shorter), pause).then(compared).catch(nothingIfCut)
  if (!mixed) return undefined
  return { targets, labels, factor, residual, hidesMixtures: mixed.residual <= CLEAR * problem.tolerance }
}

/**
 * {@link rowTargets} where what was shared has a factor that nobody knows, of either sign. Where both signs explain it, with other classes, the
 * classes are left out: so it is of one sample whose model finds two classes alone possible.
 */
export async function rowTargetsAtAnyFactor(
  problem: Omit<RowProblem, 'scaled'>,
  pause: Pause,
): Promise<RowTargets | undefined> {
  const plus = await rowTargets({ ...problem, scaled: true }, pause)
  const minus = plus && (await rowTargets({ ...problem, felt: problem.felt.map((v) => -v), scaled: true }, pause))
  if (!plus || !minus) return plus
  const [best, other] = minus.residual < plus.residual ? [minus, plus] : [plus, minus]
  const told = problem.given || other.residual > problem.tolerance || `${other.labels}` === `${best.labels}`
  return told ? best : { ...best, labels: undefined }
}

/** The gradient of the rows, times a number, with their targets. */
function gradientsOn(
  { runtime, traced, parameters }: RowProblem,
  inputs: readonly g.Node<'input'>[],
  data: Float32Array,
  targets: Float32Array,
): (times: number) => Promise<Values[]> {
  return (times) =>
    evaluate(runtime, { inputs, outputs: traced.gradients }, parameters, [data.map((v) => times * v), targets])
}

type FeltAt = (targets: Float64Array) => Promise<Values>

const shapeOf = ({ traced }: RowProblem): readonly number[] => traced.targets[0].shape

/** Known targets, in the order of the rows to which they belong. */
async function assigned(
  problem: RowProblem,
  given: Float32Array,
  feltAt: FeltAt,
  pause: Pause,
): Promise<Float64Array | undefined> {
  const [batch, width] = shapeOf(problem)
  const rowOf = (t: number) => given.subarray(t * width, (t + 1) * width)
  const costs = Array.from({ length: batch }, () => new Array<number>(batch).fill(0))
  for (let t = 0; t < batch; t++) {
    const everywhere = new Float64Array(batch * width)
    for (let s = 0; s < batch; s++) everywhere.set(rowOf(t), s * width)
    const felt = await feltAt(everywhere)
    for (let s = 0; s < batch; s++) costs[s][t] = apart(problem, felt, s)
    if (await pause()) return undefined
  }
  const targets = new Float64Array(batch * width)
  for (const [s, t] of match(costs).entries()) targets.set(rowOf(t), s * width)
  return targets
}

async function classes(problem: RowProblem, feltAt: FeltAt, pause: Pause): Promise<Float64Array | undefined> {
  const [batch, width] = shapeOf(problem)
  const best = new Float64Array(batch).fill(Infinity)
  const labels = new Int32Array(batch)
  for (let c = 0; c < width; c++) {
    const values = new Float64Array(batch * width)
    for (let s = 0; s < batch; s++) values[s * width + c] = 1
    const felt = await feltAt(values)
    for (let s = 0; s < batch; s++) {
      const distance = apart(problem, felt, s)
      if (distance < best[s]) {
        best[s] = distance
        labels[s] = c
      }
    }
    if (await pause()) return undefined
  }
  const targets = new Float64Array(batch * width)
  labels.forEach((c, s) => {
    targets[s * width + c] = 1
  })
  return targets
}

/** ‖∂z_s − ∂z_s*‖ / ‖∂z_s*‖; where a factor is unknown, 1 − their cosine. */
function apart({ felt: shared, scaled, sum }: RowProblem, felt: Values, s: number): number {
  const units = sum.shape[sum.shape.length - 1]
  let [difference, own, other, product] = [0, 0, 0, 0]
  for (let i = s * units; i < (s + 1) * units; i++) {
    difference += (felt[i] - shared[i]) ** 2
    own += felt[i] ** 2
    other += shared[i] ** 2
    product += felt[i] * shared[i]
  }
  if (scaled) return own > 0 && other > 0 ? 1 - product / Math.sqrt(own * other) : 1
  return other > 0 ? Math.sqrt(difference / other) : Math.sqrt(difference)
}

/** ‖A‖ ‖A⁺‖ from which equations in float32 do not tell their unknowns. */
const SINGULAR = 1e5

/** Least squares for t in ∂z_s(t) = ∂z_s(0) + Σ_k t_k (∂z_s(e_k) − ∂z_s(0)); bits next to 0 or 1 are those. */
async function solved(problem: RowProblem, feltAt: FeltAt, pause: Pause): Promise<Float64Array | undefined> {
  if (problem.scaled) return undefined
  const [batch, width] = shapeOf(problem)
  const { felt: shared, sum, kind } = problem
  const units = sum.shape[sum.shape.length - 1]
  if (width > units) return undefined
  const zero = await feltAt(new Float64Array(batch * width))
  const moves: Values[] = []
  for (let k = 0; k < width; k++) {
    const values = new Float64Array(batch * width)
    for (let s = 0; s < batch; s++) values[s * width + k] = 1
    moves.push(await feltAt(values))
    if (await pause()) return undefined
  }
  const targets = new Float64Array(batch * width)
  for (let s = 0; s < batch; s++) {
    const at = (j: number): number => s * units + j
    const design = Array.from({ length: units }, (_, j) =>
      Float64Array.from(moves, (move) => move[at(j)] - zero[at(j)]),
    )
    const goal = Float64Array.from({ length: units }, (_, j) => shared[at(j)] - zero[at(j)])
    const inverse = await paced(pseudoInverse(design), pause).catch(nothingIfCut)
    if (!inverse) return undefined
    // behind few units, or dead ones, fewer equations are left than there are targets: the rank is the trace of A⁺A, but for what float32 rounds
    const rank = inverse.reduce((sum, row, k) => sum + design.reduce((all, of, j) => all + row[j] * of[k], 0), 0)
    if (rank < width - 0.5 || normOf(design) * normOf(inverse) > SINGULAR) return undefined
    const found = inverse.map((row) => inner(row, goal))
    found.forEach((v, k) => {
      const bit = Math.round(v)
      const snaps = kind === 'bits' && (bit === 0 || bit === 1) && Math.abs(v - bit) < 0.05
      targets[s * width + k] = snaps ? bit : v
    })
  }
  return targets.every(Number.isFinite) ? targets : undefined
}

/** The distance from what was shared, at the factor that fits best where it is not known. */
function* comparison(
  found: readonly Values[],
  shared: readonly Values[],
  scaled: boolean,
): Steps<Pick<RowTargets, 'factor' | 'residual'>> {
  const factor = scaled ? yield* fittedFactor(found, shared) : 1
  return { factor, residual: yield* relativeDistance(found, shared, factor) }
}
