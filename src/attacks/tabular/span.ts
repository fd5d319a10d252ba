import { Matrix, solve } from 'ml-matrix'
import { type TracedGradient, traceGradient, weightParameter } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import * as g from '../../graph'
import { transposed } from '../../numbers/norms'
import { mapped, type Values } from '../../numbers/values'
import type { DenseGradient } from '../dense/dense-gradient'
import { factorsOf } from '../spear/factors'
import type { Pause } from '../spear/pause'
import { type RowLayer, reluLayer, rowLayer } from '../spear/relu-layer'
import { scaleOf } from './encode'
import type { PlacedColumn } from './schema'

/**
 * What the gradient of a first dense layer z = x W + b says of the rows that it read: ∂W = Xᵀ ∂Z and ∂b = 1ᵀ ∂Z, so that each row
 * (x, 1) lies in the span of the rows of (∂W, ∂b)ᵀ. In coordinates w of an orthonormal basis of the span, x_j = ⟨w, r_j⟩.
 */
export interface Span {
  /** Rows of the batch: the dimensions of the span. */
  readonly rank: number
  /** r_j of each input. */
  readonly inputs: readonly Float64Array[]
  /** r of the number 1 that the bias multiplies. */
  readonly one: Float64Array
  /** The gradient of each unit in these coordinates, [units, rank] row by row. */
  readonly units: Float64Array
  /** The first singular value that is noise, in the scale of `units`. */
  readonly rest: number
  /** How far noise of the gradient moves an input that is read off: that value by the last one that is none. */
  readonly noise: number
  readonly layer: RowLayer
  /** Whether a ReLU alone follows the layer. */
  readonly hasRelu: boolean
  readonly traced: TracedGradient
  readonly gradient: DenseGradient
  /** The layer's own weights. */
  readonly weights: DenseGradient
}

/** The span of a batch, or why there is none. */
export async function spanOf(target: Target, pause: Pause): Promise<Span | string> {
  const { model, settings } = target
  const { batchSize } = settings
  const traced = traceGradient(model, settings, (output, { name }) =>
    g.input(output.graph, `target ${name}`, output.shape),
  )
  const layer = rowLayer(traced.data, traced.trainedNodes, [traced.loss])
  if (typeof layer === 'string') return layer
  const gradient = layerIn(target.dataGradients, layer)
  const own = traced.trained.map((w) => target.weights.get(weightParameter(w))!)
  const factors = await factorsOf(gradient, pause, batchSize)
  if (!factors) return 'the work was ended'
  if (factors.rank !== batchSize)
    return `the gradient of the first layer shows ${factors.rank ?? 'no'} rows; the batch has ${batchSize}`
  const { left, right, rank, width, singular } = factors
  const at = (j: number): Float64Array => Float64Array.from({ length: rank }, (_, k) => right[k * width + j])
  const rest = Math.max(singular[rank] ?? 0, 2 ** -40 * singular[0])
  return {
    hasRelu: typeof reluLayer(traced.data, traced.trainedNodes, [traced.loss]) !== 'string',
    ...{ rank, layer, traced, gradient, weights: layerIn(own, layer), one: at(width - 1) },
    inputs: Array.from({ length: width - 1 }, (_, j) => at(j)),
    ...{ units: left, rest, noise: rest / singular[rank - 1] },
  }
}

/** The layer's part of all tensors, with the weight as [in, out]. */
function layerIn(tensors: readonly Values[], { weight, bias, transposed: turned }: RowLayer): DenseGradient {
  const [matrix, vector] = [tensors[weight], tensors[bias]]
  return { bias: vector, weight: turned ? transposed(matrix, vector.length, matrix.length / vector.length) : matrix }
}

/** Weight of a number of a search beside that of a decided category. */
const SOFT = 1e-3

/** Widest whole numbers, in standard deviations of a column, that a search tells apart: it leaves about 1e-2. */
const COARSE = 15

/** Columns whose whole numbers are so far apart that a search can be rounded. */
export const isCoarse = (column: PlacedColumn['column']): boolean =>
  column.kind === 'numeric' && column.integer === true && scaleOf(column) <= COARSE

/**
 * Rows in the span that have the decided cells of a table: least squares over everything that is decided. The other numbers of the
 * table count so little that they only decide what the decided cells leave open.
 *
 * @param table [rank, inputs] row by row
 * @param isDecided which columns are; a column of categories should be
 */
export function inSpan(
  { inputs, one, rank }: Span,
  table: Float64Array,
  columns: readonly PlacedColumn[],
  isDecided: (column: PlacedColumn['column']) => boolean,
): Float64Array {
  const weights = new Float64Array(inputs.length).fill(1)
  for (const { column, at } of columns) if (!isDecided(column)) weights[at] = SOFT
  const vectors = [...inputs.map((r, j) => r.map((v) => weights[j] * v)), one]
  const wanted = [
    ...inputs.map((_, j) => Array.from({ length: rank }, (_, row) => weights[j] * table[row * inputs.length + j])),
    new Array<number>(rank).fill(1),
  ]
  const found = solve(new Matrix(vectors), new Matrix(wanted))
  return mapped(table, (_, i) => {
    const [row, j] = [Math.floor(i / inputs.length), i % inputs.length]
    let sum = 0
    for (let k = 0; k < rank; k++) sum += inputs[j][k] * found.get(k, row)
    return sum
  })
}
