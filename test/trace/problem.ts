import * as tf from '@tensorflow/tfjs-core'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { evaluate, type Runtime, type Values } from '../../src/runtime/runtime'
import { record } from '../../src/trace'
import { relativeError, uniform } from '../oracle'
import type { OpCase, Range } from './cases/case'

/** A traced case: J(x) = Σᵢ‖∂L/∂Wᵢ − tᵢ‖² and its gradient, with everything bound that they read. */
export interface Problem {
  readonly x: g.Node<'input'>
  readonly values: Float64Array
  readonly output: g.Node
  readonly loss: g.Node
  /** Names of the weights' parameters, and ∂L/∂W in the same order. */
  readonly weights: readonly string[]
  readonly gradients: readonly g.Node[]
  readonly J: g.Node
  readonly gradient: g.Node
  readonly parameters: Map<string, Values>
}

/** Reproducible numbers that float32 holds exactly, so that every runtime sees the same ones. */
export function numbers(shape: g.Shape, { low = -1, high = 1, away = 0, seed = 1 }: Range = {}): Float64Array {
  const values = uniform(g.sizeOf(shape), low, high, seed * 17 + 5)
  return values.map((v) => Math.fround(away === 0 ? v : Math.sign(v) * (away + Math.abs(v) * (1 - away))))
}

/** J from the gradients of L, each with a random target. */
export function matching(gradients: readonly g.Node[], parameters: Map<string, Values>): g.Node {
  return gradients
    .map((gradient, i) => {
      parameters.set(`target ${i}`, numbers(gradient.shape, { seed: 40 + i, low: -0.5, high: 0.5 }))
      const difference = g.sub(gradient, g.parameter(gradient.graph, `target ${i}`, gradient.shape))
      return g.inner(difference, difference)
    })
    .reduce(g.add)
}

const weightsOf = (c: OpCase): [string, g.Shape, Float64Array][] =>
  Object.entries(c.weights).map(([name, shape], i) => [
    name,
    shape,
    numbers(shape, { low: 0.7, high: 1.3, seed: 20 + i, ...c.scale }),
  ])

/** What tfjs itself computes on the active backend, or should compute. */
export function tfjsOutput(c: OpCase): ArrayLike<number> {
  return tf.tidy(() => {
    const weights = weightsOf(c).map(([name, shape, values]) => [
      name,
      tf.tensor(Float32Array.from(values), [...shape], 'float32'),
    ])
    const x = tf.tensor(Float32Array.from(numbers(c.x, c)), [...c.x], 'float32')
    return (c.right ?? c.apply)(x, Object.fromEntries(weights)).dataSync()
  })
}

export function traceOp(c: OpCase): Problem {
  const graph = g.createGraph()
  const parameters = new Map<string, Values>()
  const x = g.input(graph, 'x', c.x)
  const weights = weightsOf(c).map(([name, shape, values]) => {
    parameters.set(name, values)
    return [name, g.parameter(graph, name, shape)] as const
  })
  const output = record(graph, parameters as Map<string, Values>, (recorder) => {
    const tensors = weights.map(([name, node]) => [name, recorder.tensorOf(node)])
    return recorder.nodeOf(c.apply(recorder.tensorOf(x), Object.fromEntries(tensors)))
  })
  parameters.set('ramp', numbers(output.shape, { low: 0.5, high: 1.5, seed: 60 }))
  const loss = g.inner(output, g.parameter(graph, 'ramp', output.shape))
  const nodes = weights.map(([, node]) => node)
  const gradients = g.grad(loss, nodes)
  const J = matching(gradients, parameters)
  const names = nodes.map((n) => n.attributes.name)
  const values = numbers(c.x, c)
  return { x, values, output, loss, weights: names, gradients, J, gradient: g.grad(J, [x])[0], parameters }
}

/** Output, J and dJ/dx. */
export async function solve(p: Problem, runtime: Runtime = reference()): Promise<Values[]> {
  return evaluate(runtime, { inputs: [p.x], outputs: [p.output, p.J, p.gradient] }, p.parameters, [p.values])
}

/** Coordinates of a small input; random signs of a larger one, where a wrong gradient cannot hide. */
function directions(size: number): Float64Array[] {
  if (size <= 8)
    return Array.from({ length: size }, (_, i) => Float64Array.from({ length: size }, (_, j) => Number(i === j)))
  return Array.from({ length: 6 }, (_, i) => uniform(size, -1, 1, 71 + i).map((v) => Math.sign(v) / Math.sqrt(size)))
}

export interface Check {
  error: number
  /** Disagreement of two step sizes: a kink or a jump is near. */
  instability: number
}

/** A gradient against five-point central differences of f along directions. */
async function along(f: (moved: Float64Array) => Promise<number>, at: Float64Array, gradient: Values): Promise<Check> {
  const exact: number[] = []
  const fine: number[] = []
  const coarse: number[] = []
  for (const d of directions(at.length)) {
    const moved = (h: number) => f(at.map((v, i) => v + h * d[i]))
    const [a, b, c] = await Promise.all([1e-3, 2e-3, 4e-3].map(async (h) => (await moved(h)) - (await moved(-h))))
    fine.push((8 * a - b) / 12e-3)
    coarse.push((8 * b - c) / 24e-3)
    exact.push(d.reduce((total, v, i) => total + v * gradient[i], 0))
  }
  return { error: relativeError(exact, fine), instability: relativeError(coarse, fine) }
}

/** dJ/dx, in float64 on the reference runtime. */
export async function checkSecondOrder(p: Problem, gradient: Values): Promise<Check> {
  const evaluator = await (await reference().compile({ inputs: [p.x], outputs: [p.J] })).bind(p.parameters)
  return along(async (x) => (await evaluator.run([x]))[0][0], p.values, gradient)
}

/** ∂L/∂W, without which a gradient of J would be right about the wrong J. */
export async function checkFirstOrder(p: Problem): Promise<Check> {
  const gradients = await evaluate(reference(), { inputs: [p.x], outputs: p.gradients }, p.parameters, [p.values])
  const weights = p.weights.map((name) => p.parameters.get(name)!)
  const join = (parts: readonly Values[]) => Float64Array.from(parts.flatMap((v) => [...v]))
  const executable = await reference().compile({ inputs: [p.x], outputs: [p.loss] })
  const loss = async (all: Float64Array) => {
    let begin = 0
    const moved = p.weights.map((name, i) => {
      begin += weights[i].length
      return [name, all.slice(begin - weights[i].length, begin)] as const
    })
    const evaluator = await executable.bind(new Map<string, Values>([...p.parameters, ...moved]))
    return (await evaluator.run([p.values]))[0][0]
  }
  return along(loss, join(weights), join(gradients))
}
