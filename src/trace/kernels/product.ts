import { backend_util } from '@tensorflow/tfjs-core'
import type { Node } from '../../graph'
import * as g from '../../graph'
import { activate } from './activation'
import type { TraceKernels } from './kernel'

const matMul = (a: Node, b: Node, transposeA: boolean, transposeB: boolean): Node =>
  g.matMul(transposeA ? g.swapLast(a) : a, transposeB ? g.swapLast(b) : b)

/** Einstein summation: operands are aligned to one axis per letter, multiplied, and the letters not kept are summed. */
function einsum(equation: string, operands: readonly Node[]): Node {
  const [left, kept] = equation.replace(/\s/g, '').split('->')
  const terms = left.split(',')
  const letters = [...new Set(terms.join(''))]
  backend_util.checkEinsumDimSizes(
    letters.length,
    terms.map((t) => [...t].map((c) => letters.indexOf(c))),
    operands.map((n) => ({ shape: [...n.shape] })) as never,
  )
  return terms.length === 2 ? contract(terms, kept, operands) : multiplyAndSum(terms, kept, letters, operands)
}

const sizesOf = (terms: readonly string[], operands: readonly Node[]): Map<string, number> =>
  new Map(terms.flatMap((t, k) => [...t].map((c, i) => [c, operands[k].shape[i]] as const)))

/** x with one axis per letter of `to`, size 1 where it has none. */
function align(x: Node, from: string, to: string): Node {
  const present = [...to].filter((c) => from.includes(c))
  const ordered = g.transpose(
    x,
    present.map((c) => from.indexOf(c)),
  )
  return g.reshape(
    ordered,
    [...to].map((c) => (from.includes(c) ? x.shape[from.indexOf(c)] : 1)),
  )
}

function multiplyAndSum(
  terms: readonly string[],
  kept: string,
  letters: readonly string[],
  operands: readonly Node[],
): Node {
  const order = kept + letters.filter((c) => !kept.includes(c)).join('')
  const total = operands.map((n, k) => align(n, terms[k], order)).reduce(g.mul)
  const summed = g.range(order.length - kept.length).map((i) => kept.length + i)
  return g.reshape(g.sum(total, summed), total.shape.slice(0, kept.length))
}

/** Two operands as one batched matrix product: shared and kept letters are the batch, shared and summed the inner axis. */
function contract([s, t]: readonly string[], kept: string, [a, b]: readonly Node[]): Node {
  const size = sizesOf([s, t], [a, b])
  const count = (letters: string): number => [...letters].reduce((n, c) => n * size.get(c)!, 1)
  const pick = (letters: string, test: (c: string) => boolean): string => [...letters].filter(test).join('')
  const batch = pick(s, (c) => t.includes(c) && kept.includes(c))
  const inner = pick(s, (c) => t.includes(c) && !kept.includes(c))
  const rows = pick(s, (c) => !t.includes(c) && kept.includes(c))
  const columns = pick(t, (c) => !s.includes(c) && kept.includes(c))
  const left = g.reshape(reduceTo(a, s, batch + rows + inner), [count(batch), count(rows), count(inner)])
  const right = g.reshape(reduceTo(b, t, batch + inner + columns), [count(batch), count(inner), count(columns)])
  const order = batch + rows + columns
  const product = g.reshape(
    g.matMul(left, right),
    [...order].map((c) => size.get(c)!),
  )
  return align(product, order, kept)
}

/** Sums the letters that are in `from` alone and puts the others in the order of `to`. */
function reduceTo(x: Node, from: string, to: string): Node {
  const alone = [...from].flatMap((c, i) => (to.includes(c) ? [] : [i]))
  const rest = [...from].filter((c) => to.includes(c)).join('')
  const summed = g.sum(x, alone)
  const shape = summed.shape.filter((_, i) => !alone.includes(i))
  return align(g.reshape(summed, shape), rest, to)
}

export const productKernels: TraceKernels = {
  BatchMatMul: ({ a, b }, { transposeA, transposeB }) => matMul(a, b, transposeA, transposeB),
  _FusedMatMul: ({ a, b, bias, preluActivationWeights }, { transposeA, transposeB, activation, leakyreluAlpha }) => {
    const product = matMul(a, b, transposeA, transposeB)
    return activate(bias ? g.add(product, bias) : product, activation, preluActivationWeights, leakyreluAlpha)
  },
  Einsum: (inputs, { equation }) => einsum(equation, Object.values(inputs)),
}
