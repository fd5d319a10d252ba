import type { Graph, Node, Shape } from './node'
import { broadcast } from './structure'

/** A tensor that changes with every evaluation: the unknowns of an attack. */
export const input = (graph: Graph, name: string, shape: Shape): Node<'input'> =>
  graph.intern('input', [], { name }, [...shape])

/** A tensor bound once for many evaluations; its values never enter the graph. */
export const parameter = (graph: Graph, name: string, shape: Shape): Node<'parameter'> =>
  graph.intern('parameter', [], { name }, [...shape])

/** One number, of shape []. */
export const scalar = (graph: Graph, value: number): Node =>
  // JSON has no NaN, infinity or −0: the key of such a constant needs its name
  graph.intern('constant', [], { values: [value], ...(exotic(value) && { name: nameOf(value) }) }, [])

const exotic = (value: number): boolean => !Number.isFinite(value) || Object.is(value, -0)
const nameOf = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))

/** A few finite numbers, known while the graph is built. */
export const constant = (graph: Graph, values: readonly number[], shape: Shape): Node =>
  values.every((v) => v === values[0])
    ? fill(graph, values[0], shape)
    : graph.intern('constant', [], { values: [...values] }, [...shape])

/** The same number everywhere. */
export const fill = (graph: Graph, value: number, shape: Shape): Node => broadcast(scalar(graph, value), shape)

/** 0, 1, …, size − 1. */
export const iota = (graph: Graph, size: number): Node =>
  size === 1 ? fill(graph, 0, [1]) : graph.intern('iota', [], { size }, [size])

/** The number a node holds everywhere, when that is known while the graph is built. */
export function uniformValue(node: Node): number | undefined {
  if (node.op === 'constant') return node.attributes.values.length === 1 ? node.attributes.values[0] : undefined
  return node.op === 'broadcast' ? uniformValue(node.inputs[0]) : undefined
}
