import { solvePositive } from '../../numbers/positive-definite'
import type { Steps } from '../../numbers/steps'
import { inner } from '../../numbers/vectors'
import type { Attention } from './attention'
import type { Context, ContextSolver } from './encoder-contexts'

/** Candidates, and what attention took for each of them. */
export interface Heard {
  /** Candidates of every position. */
  readonly places: readonly (readonly number[])[]
  /** u of each candidate. */
  readonly inputs: readonly Float64Array[]
  readonly attention: Attention
  readonly solver: ContextSolver
  /** By candidate; of one that several sentences share, what one of them took. */
  readonly contexts: ReadonlyMap<number, Context>
  /** The first position at which a sentence may have ended. */
  readonly end: number
  /** Contexts of which h lies further outside than this are not there. */
  readonly bound: number
}

/** A context is known to this part of its length at best. */
const PRECISION = 3e-4

/** What the distance of h from its span means for its context, in times. */
const LOOSE = 10

/** How much the sum of a position's shares weighs, beside what is known of a share before. */
const WHOLE = 1e4

/** Shares are solved for twice, as the sum over the attended depends on them. */
const ROUNDS = 2

/** The unknown of a position at which the sentence has ended. */
const ENDED = -1

/** Σ over a head of (a_i (v_i − c)) · (a_j (v_j − c)), a_i = exp(q · k_i / √size): by head, by pair of candidates. */
interface Equations {
  readonly weights: readonly Float64Array[]
  readonly products: readonly (readonly Float64Array[])[]
  readonly length: number
  /** How far they may be off. */
  readonly deviation: number
}

/**
 * The sentence of a candidate, by what attention took for it. With Z = Σ_i x_i a_i, x_i = 1 where the sentence has candidate i, and
 * a_i = exp(q · k_i / √size), the context is c = Σ_i x_i a_i v_i / Z in each head. So Σ_i x_i a_i (v_i − c) / Z = 0, which is linear but for Z: as many
 * equations as the model is wide.
 *
 * A candidate that hardly anything of the attention goes to is left open by the equations. So the surest position is settled first, what attention
 * took there adds its equations, and the others are solved for anew.
 */
export function* sentenceThrough(anchor: number, at: number, heard: Heard): Steps<number[]> {
  const { places, attention, inputs, solver, contexts, end, bound } = heard
  const unknowns = places.flatMap((all, p) =>
    [...all, ...(p >= end ? [ENDED] : [])].map((candidate) => ({ p, candidate })),
  )
  const members = unknowns.flatMap(({ candidate }, i) => (candidate === ENDED ? [] : [i]))
  const of = (p: number): number[] => [...unknowns.keys()].filter((i) => unknowns[i].p === p)
  const shares = Float64Array.from(unknowns, ({ p }) => 1 / of(p).length)
  const settled = new Map<number, number>()
  const settle = (i: number): void => {
    const { p } = unknowns[i]
    settled.set(p, i)
    for (const other of of(p)) shares[other] = other === i ? 1 : 0
  }
  const equations: Equations[] = []
  const hear = function* (i: number, { context, far }: Context): Steps<void> {
    if (far <= bound)
      equations.push(
        yield* equationsOf(
          unknowns[i].candidate,
          context,
          far,
          members.map((k) => unknowns[k].candidate),
          attention,
        ),
      )
  }
  const all = attention.values.length
  const now = (): Float64Array => {
    const own = new Float64Array(all)
    for (const i of members) own[unknowns[i].candidate] = shares[i]
    return own
  }
  const first = unknowns.findIndex(({ p, candidate }) => p === at && candidate === anchor)
  settle(first)
  yield* hear(first, contexts.get(anchor)!)
  while (settled.size < places.length) {
    for (let round = 0; round < ROUNDS; round++) yield* solved(unknowns, members, shares, settled, equations)
    let surest: { i: number; lead: number } | undefined
    for (const p of places.keys()) {
      if (settled.has(p)) continue
      const [best, second] = of(p).sort((a, b) => shares[b] - shares[a])
      const lead = second === undefined ? Infinity : shares[best] - shares[second]
      if (!surest || lead > surest.lead) surest = { i: best, lead }
    }
    const { i } = surest!
    settle(i)
    const { p, candidate } = unknowns[i]
    if (candidate === ENDED)
      for (let q = p + 1; q < places.length; q++) settle(of(q).find((k) => unknowns[k].candidate === ENDED)!)
    else if (settled.size < places.length)
      yield* hear(i, yield* solver.solve(inputs[candidate], attention.context(candidate, now())))
  }
  const sequence = places.map((_, p) => unknowns[settled.get(p)!].candidate)
  const ended = sequence.indexOf(ENDED)
  return ended < 0 ? sequence : sequence.slice(0, ended)
}

function* equationsOf(
  asking: number,
  context: Float64Array,
  far: number,
  candidates: readonly number[],
  { weights, values, size, heads }: Attention,
): Steps<Equations> {
  const own = weights(asking)
  const products: Float64Array[][] = []
  for (let h = 0; h < heads; h++) {
    const rows = candidates.map((c) => {
      const row = values[c].slice(h * size, (h + 1) * size)
      for (let k = 0; k < size; k++) row[k] = own[h][c] * (row[k] - context[h * size + k])
      return row
    })
    products.push(rows.map((a) => Float64Array.from(rows, (b) => inner(a, b))))
    yield
  }
  return {
    weights: own.map((list) => Float64Array.from(candidates, (c) => list[c])),
    products,
    length: Math.sqrt(inner(context, context)),
    deviation: Math.max(PRECISION, LOOSE * far),
  }
}

/** Solves for the shares of positions that are not settled: the least Σ (equations / deviation)² + Σ (x_i − 1 / n)² n, n the candidates of a position. */
function* solved(
  unknowns: readonly { readonly p: number; readonly candidate: number }[],
  members: readonly number[],
  shares: Float64Array,
  settled: ReadonlyMap<number, number>,
  equations: readonly Equations[],
): Steps<void> {
  const free = [...unknowns.keys()].filter((i) => !settled.has(unknowns[i].p))
  const index = new Map(members.map((i, k) => [i, k]))
  const known = [...settled.values()].filter((i) => index.has(i))
  const matrix = free.map((i) =>
    Float64Array.from(
      free,
      (j) => (unknowns[i].p === unknowns[j].p ? WHOLE : 0) + (i === j ? times(unknowns, unknowns[i].p) : 0),
    ),
  )
  const right = new Float64Array(free.length).fill(WHOLE + 1)
  for (const { weights, products, length, deviation } of equations)
    for (const [h, own] of weights.entries()) {
      let whole = 0
      for (const [k, i] of members.entries()) whole += Math.max(shares[i], 1e-6) * own[k]
      const scale = 1 / (whole * length * deviation) ** 2
      for (const [a, i] of free.entries()) {
        const row = index.has(i) ? products[h][index.get(i)!] : undefined
        if (!row) continue
        for (let b = 0; b <= a; b++) {
          const j = index.get(free[b])
          if (j !== undefined) matrix[a][b] += scale * row[j]
        }
        for (const j of known) right[a] -= scale * row[index.get(j)!]
      }
      yield
    }
  if (!(yield* solvePositive(matrix, [right]))) return
  for (const [a, i] of free.entries()) shares[i] = Math.min(1, Math.max(0, right[a]))
}

const times = (unknowns: readonly { readonly p: number }[], p: number): number =>
  unknowns.filter((own) => own.p === p).length
