import { Matrix, solve } from 'ml-matrix'
import type { Target } from '../../client/target'
import { type PlainTargets, targetKind } from '../../client/target-values'
import { countOf } from '../../errors/counted'
import { TOLERANCE } from '../../measure/proof'
import type { Pause } from '../spear/pause'
import { rowTargets, rowTargetsAtAnyFactor } from '../spear/row-targets'
import { recordRows } from './rows'
import type { PlacedColumn } from './schema'
import { snapped } from './snap'
import type { Span } from './span'

/** Records that the span of the first layer's gradient gives, with the targets that belong to them. */
export interface ExactRows {
  /** [rank, inputs] row by row, as the client's encoder makes them of the records. */
  readonly table: Float64Array
  readonly targets: PlainTargets
  readonly labels: readonly number[]
  /** ‖g − g*‖ / ‖g*‖ of records and targets, over everything that was shared. */
  readonly residual: number
  /** Whether the targets that the attacker was given are not those of the records. */
  readonly contradicted: boolean
}

/** What is known of the targets, and from which residual on records re-create what was shared. */
export interface Knowing {
  readonly given: Float32Array | undefined
  readonly floor: number
}

/**
 * The batch in closed form, up to a finite search: the records in the span of the first dense layer's gradient. Where there are
 * more of them than rows in the batch, a ReLU behind the layer tells samples from combinations of samples. The targets are
 * read off ∂L/∂z of each row.
 *
 * @returns why there is none, in words, where it fails
 */
export async function exactRows(
  target: Target,
  span: Span,
  columns: readonly PlacedColumn[],
  known: Knowing,
  pause: Pause,
): Promise<ExactRows | string> {
  const found = await recordRows(span, columns, pause)
  const rows = found.samples.length === span.rank || found.rows.length > span.rank ? found.samples : found.rows
  if (rows.length !== span.rank)
    return `${countOf(found.rows.length, 'record lies', 'records lie')} in the span of the first layer's gradient${found.whole ? '' : ', and there may be more'}; ${found.samples.length} of the ${countOf(span.rank, 'row')} ${found.samples.length === 1 ? 'is' : 'are'} known by it`
  return withTargets(target, span, snappedRows(rows, columns), known, pause)
}

/** The records that rows stand for, as the client's encoder makes rows of them: what is claimed is what is proven. */
export const snappedRows = (rows: readonly Float64Array[], columns: readonly PlacedColumn[]): readonly Float64Array[] =>
  rows.map((row) => snapped(row, columns, 1))

/** Rows with their targets: those that are known, where they explain what was shared, else from ∂L/∂z of each: ∂W = Xᵀ ∂Z and ∂b = 1ᵀ ∂Z in least squares. */
export async function withTargets(
  target: Target,
  { gradient, rank, traced, layer }: Span,
  rows: readonly Float64Array[],
  { given, floor }: Knowing,
  pause: Pause,
): Promise<ExactRows | string> {
  const [output, ...others] = traced.outputs
  if (others.length > 0 || output.node.shape.length !== 2)
    return 'targets are read off for one output of two axes alone'
  const { weight, bias } = gradient
  const units = bias.length
  const width = rows[0].length
  const design = new Matrix([...Array.from({ length: width }, (_, j) => rows.map((row) => row[j])), rows.map(() => 1)])
  const goal = new Matrix([
    ...Array.from({ length: width }, (_, j) => Array.from(weight.subarray(j * units, (j + 1) * units))),
    Array.from(bias),
  ])
  const felt = Float64Array.from(solve(design, goal).to1DArray())
  const table = new Float64Array(rank * width)
  for (const [i, row] of rows.entries()) table.set(row, i * width)
  const scaled = target.settings.scale === 'auto'
  const best = (given?: Float32Array) => {
    const problem = {
      ...{ runtime: target.settings.runtime, traced, rows: table, felt, shared: target.gradients, sum: layer.sum },
      ...{ parameters: new Map([...traced.captured, ...target.weights]), kind: targetKind(output) },
      ...{ tolerance: TOLERANCE, given },
    }
    return scaled ? rowTargetsAtAnyFactor(problem, pause) : rowTargets({ ...problem, scaled }, pause)
  }
  const known = given && (await best(given))
  const explains = known !== undefined && known.residual <= floor
  const found = explains ? known : await best()
  if (!found && (await pause())) return 'the work ended before the targets of its records were read'
  if (!found)
    return given
      ? 'the targets that were given do not go with its records'
      : 'the loss gives no equations for its targets'
  const { labels = [], residual, targets } = found
  const contradicted = given !== undefined && !explains
  return { table, labels, residual, contradicted, targets: { shape: output.node.shape, values: targets } }
}
