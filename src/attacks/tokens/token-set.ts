import { number, requireObject, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { atOnce, type Steps } from '../../numbers/steps'
import type { Values } from '../../runtime/runtime'

/** One position, decoded. */
export interface DecodedToken {
  readonly token: number
  /** Cosine to its row of the table: 1 is certain. */
  readonly similarity: number
  /** Cosine to the best other row. */
  readonly runnerUp: number
}

/** A table of vectors, row by row. */
export interface Table {
  readonly data: Values
  readonly width: number
}

/**
 * Checks a table of the caller's: whole rows of at least one number.
 *
 * @throws DlgError `invalid-gradients` of a gradient, else the code given
 */
export function requireTable(
  name: string,
  table: Table,
  code: 'invalid-gradients' | 'invalid-data' = 'invalid-gradients',
): void {
  requireObject(name, table, '{data, width}', code)
  const { data, width } = table
  if (!(data instanceof Float32Array || data instanceof Float64Array))
    throw new DlgError(code, `${name} has data of ${show(data)}; it must be a Float32Array or a Float64Array`)
  if (!(Number.isInteger(width) && width >= 1 && data.length % width === 0))
    throw new DlgError(
      code,
      `${name}: a table of ${countOf(data.length, 'number')} has no rows of ${show(width)}; the width must be a whole number of at least 1 that divides them`,
    )
}

const rows = ({ data, width }: Table): number => data.length / width

/**
 * Euclidean norm of each row; squares neither overflow nor vanish, so that a row is zero only where all its numbers are.
 *
 * @throws DlgError `invalid-gradients` for a table that is no rows of its width, or has a number that is not finite
 */
export const rowNorms = (table: Table): Float64Array => atOnce(rowNormSteps(table))

/** Rows between two looks at the clock. */
const ROWS = 256

/** {@link rowNorms} in steps. @throws DlgError as it */
export function* rowNormSteps(table: Table): Steps<Float64Array> {
  const { data, width } = table
  if (!Number.isSafeInteger(width) || width < 1 || data.length % width !== 0)
    throw new DlgError('invalid-gradients', `a table of ${countOf(data.length, 'number')} has no rows of ${width}`)
  const norms = new Float64Array(rows(table))
  for (let i = 0; i < norms.length; i++) {
    if (i % ROWS === 0) yield
    let most = 0
    for (let j = i * width; j < (i + 1) * width; j++) {
      if (!Number.isFinite(data[j]))
        throw new DlgError(
          'invalid-gradients',
          `row ${i} of the table has ${data[j]}; every number must be finite, or nothing tells whether its token occurs`,
        )
      most = Math.max(most, Math.abs(data[j]))
    }
    if (most === 0) continue
    let sum = 0
    for (let j = i * width; j < (i + 1) * width; j++) sum += (data[j] / most) ** 2
    norms[i] = most * Math.sqrt(sum)
  }
  return norms
}

/**
 * The tokens of the sentence, from the gradient of the embedding table alone: only their rows are touched.
 *
 * @param threshold norm above which a row counts
 * @throws DlgError `invalid-gradients` for a table without whole rows, `invalid-option`
 */
export function tokenSet(embeddingGradient: Table, threshold = 0): number[] {
  requireTable('embeddingGradient', embeddingGradient)
  number('threshold', threshold, (v) => v >= 0, 'a number of at least 0')
  return [...rowNorms(embeddingGradient)].flatMap((norm, id) => (norm > threshold ? [id] : []))
}

/**
 * As {@link tokenSet}, where the masked-LM decoder shares the table and every row has a gradient: for a token v that is
 * neither in the sentence nor hidden it is p_v h, with p_v the gradient of the output bias. The `count` rows which that
 * explains least hold, with the hidden tokens, those of the sentence.
 *
 * @throws DlgError `invalid-gradients` for a bias that does not fit the table, has no positive gradient, or a number in
 * either that is not finite
 */
export function tiedTokenSet(embeddingGradient: Table, biasGradient: Values, count: number): number[] {
  requireTable('embeddingGradient', embeddingGradient)
  if (!(biasGradient instanceof Float32Array || biasGradient instanceof Float64Array))
    throw new DlgError(
      'invalid-gradients',
      `biasGradient is ${show(biasGradient)}; it must be a Float32Array or a Float64Array`,
    )
  number('count', count, (n) => Number.isSafeInteger(n) && n >= 0, 'a whole number of at least 0')
  const { data, width } = embeddingGradient
  if (data.length !== biasGradient.length * width)
    throw new DlgError(
      'invalid-gradients',
      `an output bias of ${countOf(biasGradient.length, 'token')} needs a table of as many rows of ${width}; it has ${countOf(data.length, 'number')}`,
    )
  const strange = biasGradient.findIndex((p) => !Number.isFinite(p))
  if (strange >= 0)
    throw new DlgError(
      'invalid-gradients',
      `the output bias's gradient of token ${strange} is ${biasGradient[strange]}; every number must be finite`,
    )
  rowNorms(embeddingGradient)
  const features = new Float64Array(width)
  let squares = 0
  biasGradient.forEach((p, v) => {
    if (p <= 0) return
    squares += p * p
    for (let j = 0; j < width; j++) features[j] += p * data[v * width + j]
  })
  if (!(squares > 0))
    throw new DlgError(
      'invalid-gradients',
      "the output bias's gradient is positive for no token, as a soft-max's is for all that are not hidden: it tells nothing",
    )
  const rest = Float64Array.from(data, (x, i) => {
    const v = Math.floor(i / width)
    return x - (biasGradient[v] * features[i % width]) / squares
  })
  const norms = rowNorms({ data: rest, width })
  const hidden = [...biasGradient.keys()].filter((v) => biasGradient[v] < 0)
  const others = [...biasGradient.keys()].filter((v) => biasGradient[v] >= 0).sort((a, b) => norms[b] - norms[a])
  return [...hidden, ...others.slice(0, count)].sort((a, b) => a - b)
}

/** How long the sentence was: position rows beyond it have no gradient. @throws DlgError `invalid-gradients` */
export function sequenceLength(positionGradient: Table): number {
  requireTable('positionGradient', positionGradient)
  return rowNorms(positionGradient).findLastIndex((norm) => norm > 0) + 1
}
