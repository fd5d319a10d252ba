import { show } from '../errors/checks'
import { invalid, requireNodeList, requireNodes, requireShape } from './checks'
import { hasStructure, structureHash } from './interning'

/** Static tensor shape; `[]` is a scalar. */
export type Shape = readonly number[]

/** Functions of one number, applied to every element. */
export type UnaryOp =
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'softplus'
  | 'abs'
  | 'sign'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'sin'
  | 'cos'
  | 'tan'
  | 'asin'
  | 'acos'
  | 'atan'
  | 'sinh'
  | 'cosh'
  | 'asinh'
  | 'acosh'
  | 'atanh'
  | 'erf'
  | 'expm1'
  | 'log1p'
  | 'gelu'
  | 'geluDerivative'
  | 'geluSecondDerivative'

/** x σ(βx) of x and β (Ramachandran, Zoph, Le 2017), and its derivatives with respect to x. */
export type SwishOp = 'swish' | 'swishDerivative' | 'swishSecondDerivative'

/** Functions of two numbers, applied element by element under NumPy broadcasting. `less` and `equal` give 0 or 1. */
export type BinaryOp = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum' | 'less' | 'equal' | SwishOp

/** How a convolution slides: one entry per spatial axis. Padding is with zeros. */
export interface ConvGeometry {
  readonly strides: readonly number[]
  readonly padLow: readonly number[]
  readonly padHigh: readonly number[]
  readonly dilations: readonly number[]
  readonly groups: number
}

/** Attributes of a node that has nothing beside its inputs. */
export type NoAttributes = Record<never, never>

/** Attributes of the nodes of each operation, beside their inputs. */
export interface Attributes extends Record<UnaryOp | BinaryOp, NoAttributes> {
  /** A tensor that changes with every evaluation: the unknowns of an attack. */
  input: { readonly name: string }
  /** A tensor bound once for many evaluations: weights, shared gradients, large constants. */
  parameter: { readonly name: string }
  /** A few numbers known while the graph is built. */
  constant: { readonly values: readonly number[] }
  /** 0, 1, …, size − 1. */
  iota: { readonly size: number }
  /** `select(mask, a, b)`: a where the mask is not 0, else b. */
  select: NoAttributes
  /** `smoothMaximum(a, b, β)`: a + swish(b − a, β), as a mixture of the two. */
  smoothMaximum: NoAttributes
  reshape: NoAttributes
  transpose: { readonly permutation: readonly number[] }
  broadcast: NoAttributes
  /** Neighbouring elements of each axis from `start` on; the node's shape says how many. */
  slice: { readonly start: readonly number[] }
  /** Zeros before and after the elements of each axis. */
  pad: { readonly low: readonly number[]; readonly high: readonly number[] }
  reverse: { readonly axes: readonly number[] }
  concat: { readonly axis: number }
  /** Sum over axes, which stay with size 1. */
  sum: { readonly axes: readonly number[] }
  /** Maximum over one axis, which stays with size 1. */
  max: { readonly axis: number }
  /** Index of the first maximum over one axis, which stays with size 1. */
  argmax: { readonly axis: number }
  /** Over the last axis. */
  softmax: NoAttributes
  /** Over the last axis. */
  logSoftmax: NoAttributes
  /** (x − mean) / √(variance + ε) over the last axis. */
  standardize: { readonly epsilon: number }
  /** 1 / √(variance + ε) over the last axis, which stays with size 1. */
  inverseDeviation: { readonly epsilon: number }
  /** The derivative of `standardize(x)` along v, from (x, v); it is symmetric. */
  standardizeGrad: { readonly epsilon: number }
  /** Product of the last two axes, NumPy broadcasting over the others. */
  matMul: NoAttributes
  /** α·A·B + β·C for matrices A, B and C, which broadcasts; or α·A·B alone, for batches as well. */
  gemm: { readonly alpha: number; readonly beta: number }
  /** y of the trilinear form ⟨y, conv(x, w)⟩: x is [N, C, …], w is [O, C / groups, …]; plus a third input [O], if there is one. */
  conv: ConvGeometry
  /** Gradient of ⟨y, conv(x, w)⟩ with respect to x, from (y, w). */
  convInputGrad: ConvGeometry
  /** Gradient of ⟨y, conv(x, w)⟩ with respect to w, from (x, y); less a third input, if there is one, of its shape or with flat rows. */
  convFilterGrad: ConvGeometry
  /** Rows of a table [V, …] at whole-number indices. */
  gather: NoAttributes
  /** Adds rows into a table of zeros at whole-number indices: the adjoint of `gather`. */
  scatterAdd: NoAttributes
}

/** Name of an operation. */
export type Op = keyof Attributes

/** A node of one operation. */
export interface NodeOf<K extends Op> {
  /** Position in the order of construction: inputs always have smaller ids. */
  readonly id: number
  readonly graph: Graph
  readonly op: K
  readonly inputs: readonly Node[]
  readonly attributes: Attributes[K]
  readonly shape: Shape
  /** Whether the value depends on an `input`, and so changes with every evaluation. */
  readonly varying: boolean
}

/**
 * One value of the dataflow graph. Nodes are immutable, and equal nodes are the same object. Every element is a
 * number: a mask is 0 or 1, an index a whole number.
 */
export type Node<K extends Op = Op> = { [P in K]: NodeOf<P> }[K]

/** The nodes built so far, by structure. */
export interface Graph {
  /** The node with this structure, made at the first request. @throws DlgError `invalid-graph` for inputs of another graph */
  intern<K extends Op>(op: K, inputs: readonly Node[], attributes: Attributes[K], shape: Shape): Node<K>
  /** Number of nodes built. */
  readonly size: number
}

/** An empty graph. All nodes of one computation live in one graph. */
export function createGraph(): Graph {
  const nodes = new Set<Node>()
  const byStructure = new Map<number, Node[]>()
  const graph: Graph = {
    intern(op, inputs, attributes, shape) {
      if (!Array.isArray(inputs) || !inputs.every((n) => nodes.has(n))) refuseInputs(op, inputs)
      requireShape(op, shape)
      if (typeof op !== 'string' || typeof attributes !== 'object' || attributes === null)
        throw invalid(show(op), 'a node must have the name of an operation and an object of attributes')
      const ids = inputs.map((n) => n.id)
      const hash = structureHash(op, ids, attributes, shape)
      const alike = byStructure.get(hash)
      const known = alike?.find((node) => hasStructure(node, op, inputs, attributes, shape))
      if (known) return known as Node<typeof op>
      const varying = op === 'input' || inputs.some((n) => n.varying)
      const node = Object.freeze({ id: nodes.size, graph, op, inputs, attributes, shape, varying }) as Node
      nodes.add(node)
      if (alike) alike.push(node)
      else byStructure.set(hash, [node])
      return node as Node<typeof op>
    },
    get size() {
      return nodes.size
    },
  }
  return graph
}
/** @throws DlgError `invalid-graph`, for inputs that are no nodes of the graph */
function refuseInputs(op: Op, inputs: readonly Node[]): never {
  requireNodeList(op, inputs)
  throw invalid(op, 'inputs belong to different graphs; all of them must be of this one')
}

/** All nodes that the outputs need, inputs before users. @throws DlgError `invalid-graph` for nodes of two graphs */
export function reachable(outputs: readonly Node[]): Node[] {
  if (!Array.isArray(outputs)) throw invalid('reachable', 'outputs must be a list of nodes')
  requireNodes('reachable', ...outputs)
  const found = new Array<Node | undefined>(outputs.reduce((most, { id }) => Math.max(most, id + 1), 0))
  const stack = [...outputs]
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (found[node.id]) continue
    found[node.id] = node
    for (const input of node.inputs) stack.push(input)
  }
  // ids are in the order of construction
  return found.filter((node) => node !== undefined)
}
