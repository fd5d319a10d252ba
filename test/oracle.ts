import { add, createGraph, grad, inner, input, type Node, parameter, type Shape, sizeOf } from '../src/graph'
import { reference } from '../src/runtime/reference'
import type { Values } from '../src/runtime/runtime'

/** Reproducible numbers in [low, high): a linear congruential generator, enough for test inputs. */
export function uniform(count: number, low: number, high: number, seed = 1): Float64Array {
  let state = (seed * 2654435761) >>> 0
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return low + ((high - low) * state) / 2 ** 32
  })
}

/** ∂f/∂x by the five-point central difference of a function of one flat vector. */
export async function finiteDifference(
  f: (x: Float64Array) => Promise<number>,
  x: Float64Array,
  step = 1e-3,
): Promise<Float64Array> {
  const out = new Float64Array(x.length)
  for (let i = 0; i < x.length; i++) {
    const at = async (h: number) => {
      const moved = x.slice()
      moved[i] += h
      return f(moved)
    }
    out[i] = (8 * ((await at(step)) - (await at(-step))) - ((await at(2 * step)) - (await at(-2 * step)))) / (12 * step)
  }
  return out
}

/** ‖a − b‖ / max(‖b‖, floor). */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>, floor = 1e-3): number {
  let [difference, size] = [0, 0]
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    size += b[i] ** 2
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), floor)
}

export interface GradientCheck {
  /** Relative error of the gradient against finite differences. */
  first: number
  /** Relative error of the gradient of a random projection of the gradient. */
  second: number
  /** Disagreement of finite differences at two step sizes: a kink or a jump nearby makes it large. */
  instability: number
}

/** Checks first and second order of `build` at the given inputs, all in float64 on the reference runtime. */
export async function checkGradients(
  build: (...inputs: Node[]) => Node,
  shapes: readonly Shape[],
  values: readonly Float64Array[],
): Promise<GradientCheck> {
  const graph = createGraph()
  const inputs = shapes.map((shape, i) => input(graph, `x${i}`, shape))
  const y = build(...inputs)
  const seeds = new Map<string, Values>()
  const project = (node: Node, name: string): Node => {
    seeds.set(name, uniform(sizeOf(node.shape), 0.5, 1.5, seeds.size + 7))
    return inner(node, parameter(graph, name, node.shape))
  }
  const f = project(y, 'seed y')
  const first = grad(f, inputs)
  const s = first.map((g, i) => project(g, `seed ${i}`)).reduce((a, b) => add(a, b))
  const second = grad(s, inputs)
  const executable = await reference().compile({ inputs, outputs: [f, s, ...first, ...second] })
  const evaluator = await executable.bind(seeds)
  const offsets = values.map((_, i) => values.slice(0, i).reduce((n, v) => n + v.length, 0))
  const split = (x: Float64Array) => values.map((v, i) => x.slice(offsets[i], offsets[i] + v.length))
  const x0 = Float64Array.from(values.flatMap((v) => [...v]))
  const outputs = await evaluator.run(values)
  const k = inputs.length
  const flat = (from: number) => outputs.slice(from, from + k).flatMap((v) => [...v])
  const along = async (which: number, step: number) =>
    finiteDifference(async (x) => (await evaluator.run(split(x)))[which][0], x0, step)
  const [numeric1, coarse1, numeric2, coarse2] = [
    await along(0, 1e-3),
    await along(0, 2e-3),
    await along(1, 1e-3),
    await along(1, 2e-3),
  ]
  return {
    first: relativeError(flat(2), numeric1),
    second: relativeError(flat(2 + k), numeric2),
    instability: Math.max(relativeError(coarse1, numeric1), relativeError(coarse2, numeric2)),
  }
}
