import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { operands, plan } from '../../src/runtime/plan'
import { reference } from '../../src/runtime/reference'
import { rewritten } from '../../src/runtime/rewrite'
import { readInSuccession } from '../../src/runtime/rewrite/succession'
import { evaluate, type Program, type Values } from '../../src/runtime/runtime'
import { relativeError, uniform } from '../oracle'

const [TOKENS, WIDTH, LAYERS] = [2, 512, 4]
/** From here on values are large. */
const LARGE = WIDTH * WIDTH

/** The objective of an attack on dense layers, with the derivatives of the data, rewritten; each weight is large. */
function dense(): { program: Program; parameters: ReadonlyMap<string, Values> } {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [TOKENS, WIDTH])
  const weights = Array.from({ length: LAYERS }, (_, i) => g.parameter(graph, `w${i}`, [WIDTH, WIDTH]))
  const y = weights.reduce<g.Node>((h, w) => g.add(h, g.tanh(g.matMul(h, w))), x)
  const gradients = g.grad(g.inner(y, g.sigmoid(y)), weights)
  const differences = gradients.map((n, i) => g.sub(n, g.parameter(graph, `shared ${i}`, n.shape)))
  const J = differences.map((n) => g.inner(n, n)).reduce(g.add)
  const names = weights.flatMap((_, i) => [`w${i}`, `shared ${i}`])
  return {
    program: rewritten({ inputs: [x], outputs: [J, ...g.grad(J, [x])] }),
    parameters: new Map(names.map((name, i) => [name, uniform(LARGE, -0.1, 0.1, 5 + i)])),
  }
}

/** The order in which onnxruntime runs nodes: depth first from what nobody reads, the latest first. */
function depthFirst(program: Program): g.Node[] {
  const steps = plan(program).steps.map(({ node }) => node)
  const place = new Map(steps.map((node, i) => [node, i]))
  const sources = (node: g.Node) => operands(node).filter((n) => place.has(n)).sort((a, b) => place.get(a)! - place.get(b)!) // biome-ignore format: one line
  const read = new Set(steps.flatMap(sources))
  const stack = steps.filter((node) => !read.has(node)).map((node) => ({ node, done: false }))
  const order: g.Node[] = []
  const seen = new Set<g.Node>()
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (top.done) order.push(top.node)
    else if (!seen.has(top.node)) {
      seen.add(top.node)
      stack.push({ node: top.node, done: true }, ...sources(top.node).map((node) => ({ node, done: false })))
    }
  }
  return order
}

/** How many large values there are at once, at most. */
function mostLarge(order: readonly g.Node[]): number {
  const last = new Map(order.flatMap((node, i) => operands(node).map((source) => [source, i] as const)))
  const large = order.flatMap((node, i) => (g.sizeOf(node.shape) >= LARGE ? [{ from: i, to: last.get(node)! }] : []))
  return Math.max(...large.map(({ from }) => large.filter((other) => other.from <= from && from <= other.to).length))
}

describe('what is read from a large value', () => {
  it('is read in succession: there is one large value at a time', () => {
    const { program } = dense()
    expect(mostLarge(depthFirst(program))).toBe(LAYERS)
    expect(mostLarge(depthFirst(readInSuccession(program)))).toBe(1)
  })

  it('has the same values', async () => {
    const { program, parameters } = dense()
    const start = uniform(TOKENS * WIDTH, -1, 1, 7)
    const [expected, actual] = await Promise.all(
      [program, readInSuccession(program)].map((p) => evaluate(reference(), p, parameters, [start])),
    )
    for (const [i, values] of actual.entries()) expect(relativeError(values, expected[i])).toBeLessThan(1e-12)
  })

  it('may wait for as many nodes as there are', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [1, 64])
    const wave = g.unary('sin', x)
    let chain: g.Node = g.reshape(g.unary('cos', x), [64, 1])
    for (let i = 0; i < 5000; i++) chain = g.sigmoid(g.scale(chain, 1.5))
    const outputs = [g.sum(wave), g.matMul(wave, chain)]
    const next = readInSuccession({ inputs: [x], outputs }, 64)
    expect(plan(next).steps.filter(({ node }) => node.op === 'concat')).toHaveLength(1)
  })

  it('is left as it is where one reader needs another, where they are slices or large together, and where nothing is large', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [64])
    const wave = g.unary('sin', x)
    const sum = g.sum(wave)
    const weighed = g.sum(g.mul(g.sum(g.reshape(wave, [8, 8]), [0]), g.exp(sum)))
    const rows = g.sum(g.reshape(wave, [8, 8]), [0])
    const unchanged = (outputs: g.Node[], large = 64) => {
      const program = { inputs: [x], outputs }
      expect(readInSuccession(program, large).outputs).toEqual(outputs)
    }
    unchanged([g.sum(g.exp(wave)), sum])
    unchanged([wave, sum, rows])
    unchanged([sum, rows], 65)
    unchanged([g.slice(wave, [0], [4]), sum])
    const halves = g.sum(g.reshape(wave, [4, 16]), [0])
    unchanged([halves, rows])
    const { outputs } = readInSuccession({ inputs: [x], outputs: [sum, rows, weighed] }, 64)
    expect(outputs.map(({ shape }) => shape)).toEqual([sum, rows, weighed].map(({ shape }) => shape))
  })
})
