import { type DecodedToken, rowNorms, type Table } from '../tokens/token-set'

/** The nearest row by cosine for each embedding, among the allowed tokens. */
export function nearestTokens(embeddings: Table, table: Table, allowed?: readonly number[]): DecodedToken[] {
  const { width } = table
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

/** Fraction of positions with the right token. */
export function tokenAccuracy(found: readonly number[], truth: readonly number[]): number {
  return truth.filter((token, i) => found[i] === token).length / truth.length
}

/** Fraction of the tokens that were found, wherever they were put. */
export function bagAccuracy(found: readonly number[], truth: readonly number[]): number {
  const left = new Map<number, number>()
  for (const token of found) left.set(token, (left.get(token) ?? 0) + 1)
  const hits = truth.filter((token) => {
    const count = left.get(token) ?? 0
    left.set(token, count - 1)
    return count > 0
  })
  return hits.length / truth.length
}
