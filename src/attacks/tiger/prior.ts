import type { Values } from '../../numbers/values'

/** A row that noise alone made has at most this many times the length of the shortest one. */
const NOISE = 2

/** A row of a token that occurs has this many times the length of most rows. */
const OCCURS = 3

/** Positions of the longest sequence: rows of the position table that stand above the noise of those that no sequence reached. */
export function positionsAbove(gradient: Values, width: number): number {
  const norms = rowLengths(gradient, width)
  const least = Math.min(...norms)
  const last = norms.findLastIndex((norm) => norm > NOISE * least)
  return last < 0 ? norms.length : last + 1
}

/** Tokens whose rows of the word table's gradient stand out; undefined where none does. */
export function tokensAbove(gradient: Values, width: number): number[] | undefined {
  const norms = rowLengths(gradient, width)
  const most = norms.toSorted((a, b) => a - b)[norms.length >> 1]
  const found = [...norms.keys()].filter((token) => norms[token] > OCCURS * most)
  return found.length > 0 ? found : undefined
}

function rowLengths(values: Values, width: number): number[] {
  return Array.from({ length: values.length / width }, (_, r) => {
    let sum = 0
    for (let j = r * width; j < (r + 1) * width; j++) sum += values[j] ** 2
    return Math.sqrt(sum)
  })
}
