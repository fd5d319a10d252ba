import { type Target, traceClient } from '../../client/target'
import { targetRows } from '../../client/target-values'
import * as g from '../../graph'
import { RESIDUAL } from '../../measure/residual'
import { normOf } from '../../numbers/norms'
import type { Steps } from '../../numbers/steps'
import { type SymmetricEigen, symmetricEigen } from '../../numbers/symmetric-eigen'
import { flat, type Values } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { type Pause, paced, restBy } from '../contract/pause'
import type { PatchSolution } from './solve'

/** Patches whose open directions were found in the whole gradient. */
export interface RefinedPatches {
  readonly data: Float64Array
  /** ‖g − g*‖ / ‖g*‖ */
  readonly residual: number
  /** Root mean square of the change of the data, within the open directions, that changes the gradient by ‖g*‖ at least. */
  readonly sensitivity: number
  readonly evaluations: number
}

/** Most open directions times numbers of a patch: each takes a gradient. */
const MOST = 256

const CORRECTIONS = 6

/** What noise in the known directions leaves of the residual, about. */
const NOISE = RESIDUAL / 4

/**
 * Finds what the linear system leaves open in the rest of the gradient, by Gauss and Newton: the derivative of g(x) along every
 * open change is taken by differences once, and steps follow for as long as they lower
 *
 * ‖g(x) − g*‖² / ‖g*‖² + μ ‖c‖², c the changes, μ = (noise / typical change)²
 *
 * so that a change which the gradient hardly feels stays as it was guessed.
 *
 * @param labels the class of the sample
 * @param pause asked after every gradient
 * @returns undefined where there is nothing open, or too much
 * @throws CUT
 */
export async function refined(
  target: Target,
  { data: start, open, roughness }: PatchSolution,
  count: number,
  labels: readonly number[],
  pause: Pause,
): Promise<RefinedPatches | undefined> {
  if (count === 0 || count > MOST) return undefined
  const changes = await paced(open(), pause)
  const compared: { node: g.Node<'input'>; values: Values }[] = []
  const traced = traceClient(target, (output, trained) => {
    const node = g.input(output.graph, `target ${trained.name}`, output.shape)
    compared.push({ node, values: targetRows({ labels }, trained) })
    return node
  })
  const inputs = [...traced.inputs, ...compared.map(({ node }) => node)]
  const executable = await target.settings.runtime.compile({ inputs, outputs: traced.gradients })
  try {
    const evaluator = await executable.bind(
      new Map([...traced.captured, ...target.weights]),
      new Set(target.weights.keys()),
    )
    try {
      const gradientAt = async (x: Float64Array) => {
        await restBy(pause)()
        return flat(await evaluator.run([Float32Array.from(x), ...compared.map(({ values }) => values)]))
      }
      return await descend(gradientAt, flat(target.gradients), start, changes, roughness, pause)
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

async function descend(
  gradientAt: (x: Float64Array) => Promise<Float64Array>,
  shared: Float64Array,
  start: Float64Array,
  changes: readonly Float64Array[],
  step: number,
  pause: Pause,
): Promise<RefinedPatches> {
  const norm = normOf([shared])
  const away = (g: Float64Array): Float64Array => g.map((v, i) => (v - shared[i]) / norm)
  let [x, rest] = [start, away(await gradientAt(start))]
  const columns: Float64Array[] = []
  for (const change of changes) {
    const moved = away(await gradientAt(x.map((v, i) => v + step * change[i])))
    columns.push(moved.map((v, i) => (v - rest[i]) / step))
  }
  const { values, vectors } = await paced(eigenOf(columns), pause)
  const damping = (NOISE / step) ** 2
  const value = (left: Float64Array, moves: readonly number[]) =>
    normOf([left]) ** 2 + damping * moves.reduce((sum, v) => sum + v * v, 0)
  let moves = changes.map(() => 0)
  let evaluations = 1 + changes.length
  for (let k = 0; k < CORRECTIONS; k++) {
    const slope = new Float64Array(columns.length)
    for (const [i, column] of columns.entries()) {
      slope[i] = inner(column, rest) + damping * moves[i]
      await restBy(pause)()
    }
    const further = moves.slice()
    for (const [k, vector] of vectors.entries()) {
      const along = inner(vector, slope) / (Math.abs(values[k]) + damping)
      for (let i = 0; i < further.length; i++) further[i] -= along * vector[i]
    }
    const next = start.slice()
    for (const [i, change] of changes.entries()) for (let n = 0; n < next.length; n++) next[n] += further[i] * change[n]
    const left = away(await gradientAt(next))
    evaluations++
    if (!(value(left, further) < 0.9 * value(rest, moves))) break
    x = next
    rest = left
    moves = further
  }
  const weakest = Math.sqrt(values.reduce((least, v) => Math.min(least, Math.abs(v)), Number.POSITIVE_INFINITY))
  return { data: x, residual: normOf([rest]), sensitivity: 1 / (weakest * Math.sqrt(x.length)), evaluations }
}

/** The eigenvalues and vectors of the products of all pairs of columns. */
function* eigenOf(columns: readonly Float64Array[]): Steps<SymmetricEigen> {
  const products = columns.map(() => new Float64Array(columns.length))
  for (const [i, a] of columns.entries())
    for (let j = 0; j <= i; j++) {
      products[i][j] = inner(a, columns[j])
      products[j][i] = products[i][j]
      yield
    }
  return yield* symmetricEigen(products)
}
