import { namedGradients, type SharedByName } from '../../client/shared/read-gradients'
import { tensorValues } from '../../client/shared/tensor-values'
import { count, knownNames } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { spectrum } from '../../numbers/singular-values'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../runtime/runtime'
import { paced, pauses } from '../contract/pause'

/** How many directions a gradient matrix has. */
export interface GradientRank {
  readonly name: string
  /** Rows of the matrix. Filters [height, width, in, out] count as a matrix [height · width · in, out]. */
  readonly rows: number
  readonly columns: number
  readonly rank: number
  /** Singular values below this part of the largest count as rounding. */
  readonly tolerance: number
  /** The last singular value that counts over the first that does not; Infinity where none was left. Large is clear. */
  readonly gap: number
  /**
   * The conclusion. ∂W = Σ_s x_s ∂z_sᵀ has at most one direction for each sample, token or patch s.
   *
   * `span`: at least `rank` of them contributed, and their inputs are exposed up to a change of basis, so that candidates
   * can be tested. `full`: as many directions as the matrix has, which tests nothing. `truncated`: at least `rank`; more
   * were not computed. `zero`: no gradient.
   */
  readonly implies: 'span' | 'full' | 'truncated' | 'zero'
}

/** Options of `gradientRanks`. */
export interface RankOptions {
  /** Most directions that are looked for in a matrix. Default 256. */
  limit?: number
}

/**
 * Numerical ranks of all gradients with at least two axes, to hold against the batch size or the number of tokens: a rank
 * below the size of its matrix says how many inputs there were at least, and spans them.
 *
 * @param gradients by name
 * @throws DlgError `invalid-gradients` for one that is disposed, not finite or of another size than its shape says, `invalid-option`
 */
export async function gradientRanks(gradients: SharedByName, options: RankOptions = {}): Promise<GradientRank[]> {
  knownNames('options', options, ['limit'])
  const limit = count('limit', options.limit ?? 256)
  const named = Object.entries(namedGradients(gradients))
  for (const [name, tensor] of named)
    if (!Array.isArray(tensor?.shape))
      throw new DlgError('invalid-gradients', `gradient '${name}' must be a tensor or {shape, data}`)
    else if (!tensor.shape.every((n) => Number.isSafeInteger(n) && n >= 1))
      throw new DlgError(
        'invalid-gradients',
        `gradient '${name}' has shape [${tensor.shape}]; its sizes must be whole numbers of at least 1`,
      )
  const read = await Promise.all(
    named.map(async ([name, tensor]) => ({
      ...{ name, shape: tensor.shape },
      values: await tensorValues(tensor, `gradient '${name}'`, Float64Array),
    })),
  )
  const ranks: GradientRank[] = []
  const pause = pauses(() => true)
  for (const { name, shape, values } of read)
    if (shape.length >= 2) ranks.push(await paced(rankOf(name, shape, values, limit), pause))
  return ranks
}

function* rankOf(name: string, shape: readonly number[], values: Values, limit: number): Steps<GradientRank> {
  const columns = shape[shape.length - 1]
  const rows = values.length / columns
  const { values: singular, tolerance, rank, truncated } = yield* spectrum(values, rows, columns, limit)
  return {
    name,
    rows,
    columns,
    rank,
    tolerance,
    gap: rank < singular.length ? singular[rank - 1] / singular[rank] : Infinity,
    implies:
      rank === 0
        ? 'zero'
        : truncated && rank === singular.length
          ? 'truncated'
          : rank === Math.min(rows, columns)
            ? 'full'
            : 'span',
  }
}
