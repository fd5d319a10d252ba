import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { RULES, rewritten } from '../../src/runtime/rewrite'
import { evaluate, type Program, type Values } from '../../src/runtime/runtime'
import { cases } from '../graph/cases'
import { build, WEIGHTS, X } from '../graph/random-expression'
import { relativeError, uniform } from '../oracle'

// rewriting changes the order of float64 operations and nothing else
const ROUNDING = 1e-9

beforeAll(async () => {
  await tf.setBackend('cpu')
})

/** The objective of an attack on a random expression: what it is, its distance from shared gradients, and its derivatives. */
function objective(graph: g.Graph, x: g.Node<'input'>, y: g.Node, weights: readonly g.Node[]): g.Node[] {
  const gradients = g.grad(g.inner(y, g.tanh(y)), weights)
  const differences = gradients.map((n, i) => g.sub(n, g.parameter(graph, `shared ${i}`, n.shape)))
  const J = differences.map((n) => g.inner(n, n)).reduce(g.add)
  return [y, J, ...g.grad(J, [x])]
}

async function requireEqual(
  program: Program,
  next: Program,
  parameters: ReadonlyMap<string, Values>,
  values: readonly Values[],
): Promise<void> {
  const expected = await evaluate(reference(), program, parameters, values)
  const actual = await evaluate(reference(), next, parameters, values)
  expect(next.outputs.map((n) => n.shape)).toEqual(program.outputs.map((n) => n.shape))
  actual.forEach((v, i) => {
    expect(relativeError(v, expected[i])).toBeLessThan(ROUNDING)
  })
}

describe('rewriting keeps every value', () => {
  it('of random expressions with their second derivatives, rule by rule', async () => {
    const number = fc.integer({ min: 0, max: 9999 }).map((n) => n / 10_000)
    const expressions = fc.array(fc.tuple(number, number, number, number), { minLength: 3, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(expressions, async (choices) => {
        const graph = g.createGraph()
        const x = g.input(graph, 'x', X)
        const weights = Object.entries(WEIGHTS).map(([name, shape]) => g.parameter(graph, name, shape))
        const parameters = new Map<string, Values>(
          weights.map((w, i) => [w.attributes.name, uniform(g.sizeOf(w.shape), 0.5, 1.5, 11 + i)]),
        )
        weights.forEach((w, i) => {
          parameters.set(`shared ${i}`, uniform(g.sizeOf(w.shape), -1, 1, 21 + i))
        })
        let y!: g.Node
        tf.tidy(() => {
          y = build([x, ...weights].map((node) => ({ node: node as g.Node, tensor: tf.zeros([...node.shape]) })), choices).node // biome-ignore format: one line
        })
        const start = uniform(24, -1, 1, 7)
        let before = objective(graph, x, y, weights)
        await requireEqual({ inputs: [x], outputs: before }, rewritten({ inputs: [x], outputs: before }), parameters, [start]) // biome-ignore format: one line
        for (const rule of RULES) {
          const after = rule(before)
          await requireEqual({ inputs: [x], outputs: before }, { inputs: [x], outputs: after }, parameters, [start])
          before = after
        }
      }),
      { numRuns: 100 },
    )
  })

  it('of every primitive and its derivatives', async () => {
    for (const { build, shapes, low = -1, high = 1 } of cases) {
      const graph = g.createGraph()
      const inputs = shapes.map((shape, i) => g.input(graph, `x${i}`, shape))
      const y = build(...inputs)
      const first = g.grad(g.inner(y, y), inputs)
      const second = g.grad(first.map((n) => g.inner(n, n)).reduce(g.add), inputs)
      const program = { inputs, outputs: [y, ...first, ...second] }
      const values = shapes.map((shape, i) => uniform(g.sizeOf(shape), low, high, 11 * i + 3))
      await requireEqual(program, rewritten(program), new Map(), values)
    }
  })
})
