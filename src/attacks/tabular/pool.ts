import type { PlainTargets } from '../../client/target-values'
import { match } from '../../measure/match'
import { median } from '../../numbers/median'
import { scaleOf } from './encode'
import type { PlacedColumn } from './schema'

/** A table that a restart ended with: probabilities of categories, and numbers as the model reads them. */
export interface Trial {
  /** [batch, inputs] row by row. */
  readonly table: Float64Array
  /** The class of each row; empty where the output has none. */
  readonly labels: readonly number[]
  /** The targets of each output with a loss, row by row. */
  readonly targets: readonly PlainTargets[]
  /** ‖g − g*‖² / ‖g*‖² there. */
  readonly relativeLoss: number
}

/** Several trials as one. */
export interface Pooled {
  /** [batch, inputs]: mean probabilities, and medians of numbers. */
  readonly table: Float64Array
  readonly labels: readonly number[]
  readonly targets: readonly PlainTargets[]
  /** [batch, columns] row by row, from 0 to 1: how sure each cell is. */
  readonly confidence: Float64Array
}

/** Standard deviations within which a number counts as right (Vero et al. 2023, section 5.1). */
export const TOLERANCE = 0.319

/** Trials whose distance is more than this many times that of the best one are left out: they would blur it. */
const WORTHY = 100

/**
 * Pools trials as TabLeak does (Vero et al. 2023, section 4.2): the rows of each are aligned with those of the best trial by
 * linear assignment; probabilities are averaged, and of numbers the median is taken.
 *
 * The confidence of a category is 1 − H / ln k, with the entropy H of its k pooled probabilities. That of a number is
 * 1 / (1 + (s/0.319)²), where s is the spread of the trials around the median, in standard deviations of the column: one half
 * where the trials differ by as much as is still called right. A single trial has no spread; its numbers are as sure as the
 * categories of their row on average.
 */
export function pooled(trials: readonly Trial[], columns: readonly PlacedColumn[], rows: number): Pooled {
  const [best, ...others] = [...trials].sort((a, b) => a.relativeLoss - b.relativeLoss)
  const worthy = others.filter(({ relativeLoss }) => relativeLoss <= WORTHY * best.relativeLoss)
  const width = best.table.length / rows
  const aligned = [best.table, ...worthy.map((trial) => alignedTo(best, trial, columns, rows))]
  const table = new Float64Array(best.table.length)
  const confidence = new Float64Array(rows * columns.length)
  for (let row = 0; row < rows; row++) {
    const words: number[] = []
    for (const [c, { column, at, size }] of columns.entries()) {
      const start = row * width + at
      const isWord = column.kind === 'categorical' || column.kind === 'binary'
      for (let i = start; i < start + size; i++) {
        const values = aligned.map((values) => values[i])
        table[i] = isWord ? values.reduce((a, b) => a + b, 0) / values.length : median(values)
      }
      const cell = row * columns.length + c
      if (!isWord) {
        const spread = Math.sqrt(
          aligned.reduce((sum, values) => sum + (values[start] - table[start]) ** 2, 0) / aligned.length,
        )
        confidence[cell] = aligned.length > 1 ? 1 / (1 + (spread / (TOLERANCE * spreadOf(column))) ** 2) : Number.NaN
        continue
      }
      const p = column.kind === 'binary' ? [table[start], 1 - table[start]] : [...table.subarray(start, start + size)]
      confidence[cell] = 1 - entropy(p) / Math.log(p.length)
      words.push(confidence[cell])
    }
    const mean = words.length > 0 ? words.reduce((a, b) => a + b, 0) / words.length : 0
    for (let c = 0; c < columns.length; c++)
      if (Number.isNaN(confidence[row * columns.length + c])) confidence[row * columns.length + c] = mean
  }
  return { table, labels: best.labels, targets: best.targets, confidence }
}

/** The rows of a trial in the order of the best one's. A row goes to one of its own class where there are classes. */
function alignedTo(best: Trial, trial: Trial, columns: readonly PlacedColumn[], rows: number): Float64Array {
  const width = best.table.length / rows
  const cost = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: rows }, (_, k) => {
      const other = best.labels[i] === trial.labels[k] ? 0 : 2 * columns.length
      return other + distance(best.table.subarray(i * width), trial.table.subarray(k * width), columns)
    }),
  )
  const out = new Float64Array(best.table.length)
  for (const [i, k] of match(cost).entries()) out.set(trial.table.subarray(k * width, (k + 1) * width), i * width)
  return out
}

/** Half the L1 distance of probabilities, and numbers by their deviations, at most 1 for each column. */
function distance(a: Float64Array, b: Float64Array, columns: readonly PlacedColumn[]): number {
  let sum = 0
  for (const { column, at, size } of columns) {
    let apart = 0
    for (let i = at; i < at + size; i++) apart += Math.abs(a[i] - b[i])
    sum += Math.min(1, column.kind === 'categorical' ? apart / 2 : apart / spreadOf(column))
  }
  return sum
}

/** The standard deviation of a column's input: 1 where it is standardised, else a quarter of its range. */
export function spreadOf(column: PlacedColumn['column']): number {
  if ('std' in column && column.std !== undefined && !('range' in column && isMinMax(column))) return 1
  if (column.kind === 'numeric') return column.range ? (column.range[1] - column.range[0]) / 4 / scaleOf(column) : 1
  return column.kind === 'ordinal' ? (column.levels.length - 1) / 4 / scaleOf(column) : 1
}

/** Whether an encoder divides by the width of the range. */
const isMinMax = ({ std, range }: { readonly std?: number; readonly range?: readonly [number, number] }): boolean =>
  range !== undefined && std === range[1] - range[0]

const entropy = (p: readonly number[]): number => -p.reduce((sum, v) => sum + (v > 0 ? v * Math.log(v) : 0), 0)
