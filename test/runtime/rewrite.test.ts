import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { plan } from '../../src/runtime/plan'
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

type Layout = 'channels last' | 'channels first' | 'turned'
type Bias = 'none' | 'bound' | 'varying' | 'of places'

/** How pictures [N, C, H, W] lie before they are flattened. */
const ORDERS: Record<Layout, number[]> = {
  'channels last': [0, 2, 3, 1],
  'channels first': [0, 1, 2, 3],
  turned: [0, 3, 1, 2],
}

/** A convolution, a number for each channel, and a dense layer over what comes out, flattened in some order. */
function convolutional(choice: {
  batch: number
  channels: number
  filters: number
  classes: number
  stride: number
  samples: Layout
  bias: Bias
  branches: boolean
}): { x: g.Node<'input'>; y: g.Node; weights: g.Node<'parameter'>[] } {
  const { batch, channels, filters, classes, stride, samples, bias, branches } = choice
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [batch, channels, 4, 4])
  const both = (n: number) => [n, n]
  const geometry = { strides: both(stride), padLow: both(1), padHigh: both(1), dilations: both(1), groups: 1 }
  const w = g.parameter(graph, 'w', [filters, channels, 3, 3])
  const plain = g.conv(x, w, geometry)
  const [, , height, width] = plain.shape
  const b = g.parameter(graph, 'b', bias === 'of places' ? [height, width] : [filters, 1, 1])
  const added = bias === 'none' ? plain : g.add(plain, bias === 'varying' ? g.mul(b, g.sum(g.unary('sin', x))) : b)
  const h = g.sigmoid(added)
  const size = filters * height * width
  const flat = g.reshape(g.transpose(h, ORDERS[samples]), [batch, size])
  const d = g.parameter(graph, 'd', [size, classes])
  const logits = g.matMul(flat, d)
  // somebody else may read the pictures or the flat rows as well
  const y = branches ? g.add(logits, g.sum(g.mul(flat, flat), [1])) : logits
  return { x, y: g.softmax(y), weights: bias === 'none' ? [w, d] : [w, b, d] }
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

/** Rewrites the objective of an attack as a whole, and by one rule after the other. */
async function requireEqualByRule(
  x: g.Node<'input'>,
  y: g.Node,
  weights: readonly g.Node[],
  parameters: ReadonlyMap<string, Values>,
): Promise<void> {
  const start = uniform(g.sizeOf(x.shape), -1, 1, 7)
  let before: readonly g.Node[] = objective(x.graph, x, y, weights)
  const program = { inputs: [x], outputs: before }
  await requireEqual(program, rewritten(program), parameters, [start])
  for (const rule of RULES) {
    const after = rule(before)
    await requireEqual({ inputs: [x], outputs: before }, { inputs: [x], outputs: after }, parameters, [start])
    before = after
  }
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
        await requireEqualByRule(x, y, weights, parameters)
      }),
      { numRuns: 100 },
    )
  })

  it('of small convolutional networks, rule by rule', async () => {
    const sizes = fc.record({
      batch: fc.constantFrom(1, 3),
      channels: fc.constantFrom(1, 2),
      filters: fc.constantFrom(1, 3),
      classes: fc.constantFrom(1, 4),
      stride: fc.constantFrom(1, 2),
      samples: fc.constantFrom<Layout>('channels last', 'channels first', 'turned'),
      bias: fc.constantFrom<Bias>('none', 'bound', 'varying', 'of places'),
      branches: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(sizes, async (choice) => {
        const { x, y, weights } = convolutional(choice)
        const parameters = new Map<string, Values>(
          weights.map((w, i) => [w.attributes.name, uniform(g.sizeOf(w.shape), -0.5, 0.5, 11 + i)]),
        )
        weights.forEach((w, i) => {
          parameters.set(`shared ${i}`, uniform(g.sizeOf(w.shape), -1, 1, 21 + i))
        })
        await requireEqualByRule(x, y, weights, parameters)
      }),
      { numRuns: 60 },
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

describe('a convolutional network that is flattened channels last', () => {
  const kernels = (samples: Layout, bias: Bias = 'none') => {
    const choice = { batch: 3, channels: 2, filters: 3, classes: 4, stride: 1, samples, bias, branches: false }
    const { x, y, weights } = convolutional(choice)
    const { outputs } = rewritten({ inputs: [x], outputs: objective(x.graph, x, y, weights) })
    return plan({ inputs: [], outputs }).steps.map(({ node }) => node)
  }

  it.each(['channels last', 'turned'] as const)('is not turned where rows can be: %s', (samples) => {
    const turns = kernels(samples).filter(({ op, inputs }) => op === 'transpose' && inputs[0].shape.length === 4)
    expect(turns).toEqual([])
    expect(kernels(samples)).toHaveLength(kernels('channels first').length)
  })

  it('has its biases in the convolutions', () => {
    const [without, having] = [kernels('channels last'), kernels('channels last', 'bound')]
    const biased = having.filter(({ op, inputs }) => op === 'conv' && inputs.length === 3)
    expect(biased).toHaveLength(1)
    expect(having.filter(({ op }) => op === 'conv')).toHaveLength(without.filter(({ op }) => op === 'conv').length)
  })
})

describe('vectors that are compared', () => {
  it('are multiplied with what is bound all at once, before that and after it', async () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [6, 5])
    const bound = (name: string) => g.parameter(graph, name, [1, 5])
    const layers = (['tanh', 'sigmoid', 'softplus', 'abs'] as const).map((activation, i) => {
      const gradient = g.sum(g.unary(activation, x), [0])
      // the last one has no scale, as a bias
      const scaled = i < 3 ? g.mul(gradient, bound(`before ${i}`)) : gradient
      const difference = g.sub(scaled, bound(`shared ${i}`))
      const tangent = i < 3 ? g.mul(difference, bound(`after ${i}`)) : difference
      return { loss: g.inner(difference, difference), out: g.exp(tangent) }
    })
    const outputs = [layers.map(({ loss }) => loss).reduce(g.add), ...layers.map(({ out }) => out)]
    const names = ['before', 'shared', 'after'].flatMap((name) => [0, 1, 2, 3].map((i) => `${name} ${i}`))
    const parameters = new Map<string, Values>(names.map((name, i) => [name, uniform(5, 0.5, 1, 31 + i)]))
    const program = { inputs: [x], outputs }
    const next = rewritten(program)
    await requireEqual(program, next, parameters, [uniform(30, -1, 1, 3)])
    const products = plan(next).steps.filter(({ node }) => node.op === 'mul' && node.shape[0] === 1)
    expect(products.map(({ node }) => node.shape)).toEqual([
      [1, 20],
      [1, 20],
    ])
  })
})

describe('rows', () => {
  it('are multiplied in one kernel where only the sum is read', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [1, 5])
    const product = g.mul(g.unary('sin', x), g.exp(x))
    const ops = (outputs: g.Node[]) =>
      plan(rewritten({ inputs: [x], outputs })).steps.map(({ node }) => node.op).filter((op) => op === 'mul' || op === 'sum' || op === 'matMul') // biome-ignore format: one line
    expect(ops([g.sum(product, [1])])).toEqual(['matMul'])
    expect(ops([g.sum(product, [1]), product])).toEqual(['mul', 'sum'])
  })
})

describe('gradients of a convolution’s input', () => {
  const convolution = (stride: number, filters: number) => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [2, 3, 6, 5])
    const geometry = { strides: [stride, stride], padLow: [2, 1], padHigh: [1, 2], dilations: [1, 1], groups: 1 }
    const w = g.parameter(graph, 'w', [filters, 3, 3, 3])
    const y = g.sigmoid(g.conv(x, w, geometry))
    const program = { inputs: [x], outputs: objective(graph, x, y, [w]).slice(1) }
    const size = g.sizeOf(w.shape)
    const parameters = new Map([
      ['w', uniform(size, -1, 1, 3)],
      ['shared 0', uniform(size, -1, 1, 4)],
    ])
    return { program, parameters }
  }
  /** How many kernels give something as large as the pictures by a convolution. */
  const toPictures = (program: Program) =>
    plan(rewritten(program)).steps.filter(
      ({ node }) => ['conv', 'convInputGrad'].includes(node.op) && g.sameShape(node.shape, [2, 3, 6, 5]),
    ).length

  it.each([1, 2])('are one where they are added, at stride %i', async (stride) => {
    const { program, parameters } = convolution(stride, 4)
    expect(toPictures(program)).toBe(1)
    await requireEqual(program, rewritten(program), parameters, [uniform(180, -1, 1, 7)])
  })

  it('stay apart where filters are many', () => {
    expect(toPictures(convolution(1, 33).program)).toBe(2)
  })
})
