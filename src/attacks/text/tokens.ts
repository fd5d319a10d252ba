import { idList } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { type DecodedToken, requireTable, rowNorms, type Table } from '../tokens/token-set'

/**
 * The nearest row by cosine for each embedding, among the allowed tokens.
 *
 * @throws DlgError `invalid-data` for tables of two widths, or tokens that the table does not have
 */
export function nearestTokens(embeddings: Table, table: Table, allowed?: readonly number[]): DecodedToken[] {
  requireTable('embeddings', embeddings, 'invalid-data')
  requireTable('table', table, 'invalid-data')
  const { width } = table
  if (embeddings.width !== width)
    throw new DlgError(
      'invalid-data',
      `embeddings have a width of ${embeddings.width}, the table ${width}; they must be one`,
    )
  if (allowed !== undefined) idList('allowed', allowed)
  const known = table.data.length / width
  if (allowed?.length === 0 || allowed?.some((id) => id >= known) || known === 0)
    throw new DlgError('invalid-data', `allowed must be one token at least, and each one of the ${known} of the table`)
  const candidates = allowed ?? Array.from({ length: table.data.length / width }, (_, i) => i)
  const norms = rowNorms(table)
  return Array.from(rowNorms(embeddings), (norm, at) => {
    let [best, similarity, runnerUp] = [candidates[0], -Infinity, -Infinity]
    for (const id of candidates) {
      let product = 0
      for (let j = 0; j < width; j++) product += embeddings.data[at * width + j] * table.data[id * width + j]
      const cosine = product / Math.max(norm * norms[id], Number.MIN_VALUE)
      if (cosine > similarity) [best, similarity, runnerUp] = [id, cosine, similarity]
      else if (cosine > runnerUp) runnerUp = cosine
    }
    return { token: best, similarity, runnerUp }
  })
}

/** Fraction of positions with the right token; NaN of none. @throws DlgError `invalid-data` for what are no token ids */
export function tokenAccuracy(found: readonly number[], truth: readonly number[]): number {
  idList('found', found)
  idList('truth', truth)
  return truth.filter((token, i) => found[i] === token).length / truth.length
}

/** Fraction of the tokens that were found, wherever they were put; NaN of none. @throws DlgError `invalid-data` for what are no token ids */
export function bagAccuracy(found: readonly number[], truth: readonly number[]): number {
  idList('found', found)
  idList('truth', truth)
  const left = new Map<number, number>()
  for (const token of found) left.set(token, (left.get(token) ?? 0) + 1)
  const hits = truth.filter((token) => {
    const count = left.get(token) ?? 0
    left.set(token, count - 1)
    return count > 0
  })
  return hits.length / truth.length
}
