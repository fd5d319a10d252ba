import type { Node } from '../../graph'

/** factor · Π over / Π under, element by element under broadcasting. Both lists are sorted by id and may repeat a node. */
export interface Monomial {
  readonly factor: number
  readonly over: readonly Node[]
  readonly under: readonly Node[]
}

const byId = (a: Node, b: Node): number => a.id - b.id

/** A node by itself. */
export const atom = (node: Node, factor = 1): Monomial => ({ factor, over: [node], under: [] })

/** A number by itself. */
export const number = (factor: number): Monomial => ({ factor, over: [], under: [] })

/** a · b */
export const times = (a: Monomial, b: Monomial): Monomial => ({
  factor: a.factor * b.factor,
  over: [...a.over, ...b.over].sort(byId),
  under: [...a.under, ...b.under].sort(byId),
})

/** a / b */
export const dividedBy = (a: Monomial, b: Monomial): Monomial => ({
  factor: a.factor / b.factor,
  over: [...a.over, ...b.under].sort(byId),
  under: [...a.under, ...b.over].sort(byId),
})

/** factor · m */
export const scaled = (m: Monomial, factor: number): Monomial => ({ ...m, factor: m.factor * factor })

const ids = (nodes: readonly Node[]): string => nodes.map((n) => n.id).join(' ')

/** Terms of one sum, those of the same nodes in one; of a sum that is zero, none. */
export function collected(terms: readonly Monomial[]): Monomial[] {
  if (terms.length === 1) return [...terms]
  const sums = new Map<string, Monomial>()
  for (const term of terms) {
    const key = `${ids(term.over)}/${ids(term.under)}`
    const before = sums.get(key)
    sums.set(key, before ? { ...term, factor: before.factor + term.factor } : term)
  }
  return [...sums.values()].filter(({ factor }) => factor !== 0)
}

/** The list with one occurrence of a node less; undefined where it has none. */
export function without(nodes: readonly Node[], node: Node): readonly Node[] | undefined {
  const at = nodes.indexOf(node)
  return at < 0 ? undefined : nodes.toSpliced(at, 1)
}
