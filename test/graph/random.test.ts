import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { evaluate, type Values } from '../../src/runtime/runtime'
import { uniform } from '../oracle'
import { build, WEIGHTS, X } from './random-expression'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

it('random expressions have the value that tfjs computes, and second derivatives that finite differences confirm', async () => {
  const number = fc.integer({ min: 0, max: 9999 }).map((n) => n / 10_000)
  const expressions = fc.array(fc.tuple(number, number, number, number), { minLength: 3, maxLength: 9 })
  await fc.assert(
    fc.asyncProperty(expressions, async (choices) => {
      const graph = g.createGraph()
      const x = g.input(graph, 'x', X)
      const start = uniform(24, -1, 1, 7)
      const weights = Object.entries(WEIGHTS).map(
        ([name, shape], i) => [g.parameter(graph, name, shape), uniform(g.sizeOf(shape), 0.5, 1.5, 11 + i)] as const,
      )
      const parameters = new Map<string, Values>(weights.map(([node, values]) => [node.attributes.name, values]))
      let both!: { node: g.Node; values: ArrayLike<number> }
      tf.tidy(() => {
        const leaves = [[x, start] as const, ...weights].map(([node, values]) => ({
          node: node as g.Node,
          tensor: tf.tensor(Float32Array.from(values), [...node.shape]),
        }))
        const { node, tensor } = build(leaves, choices)
        both = { node, values: tensor.dataSync().slice() }
      })
      const loss = g.inner(both.node, g.tanh(both.node))
      const gradients = g.grad(
        loss,
        weights.map(([node]) => node),
      )
      const J = gradients.map((n) => g.inner(n, n)).reduce(g.add)
      const [derivative] = g.grad(J, [x])
      const run = (point: Values, outputs: g.Node[]) =>
        evaluate(reference(), { inputs: [x], outputs }, parameters, [point])
      const [value, slope] = await run(start, [both.node, derivative])
      // differences of nearly equal float32 numbers have few digits left
      const room = 1e-3 * Math.max(1, ...Array.from(both.values, Math.abs))
      for (const [i, v] of value.entries()) expect(Math.abs(v - both.values[i])).toBeLessThan(room)
      const direction = uniform(24, -1, 1, 5)
      const along = async (h: number) =>
        (
          await run(
            start.map((v, i) => v + h * direction[i]),
            [J],
          )
        )[0][0]
      const h = 1e-4
      const difference =
        (8 * ((await along(h)) - (await along(-h))) - (await along(2 * h)) + (await along(-2 * h))) / (12 * h)
      const exact = (slope as Float64Array).reduce((sum, v, i) => sum + v * direction[i], 0)
      const size = Math.abs(await along(0)) + Math.abs(exact) + 1e-6
      expect(Math.abs(exact - difference) / size).toBeLessThan(1e-6)
    }),
    { numRuns: 1500 },
  )
})
