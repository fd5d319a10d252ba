import { show } from '../errors/checks'
import { invalid, requireGraph, requireName, requireNodes, requireNumber, requireShape } from './checks'
import type { Graph, Node, Shape } from './node'
import { sizeOf } from './shape'
import { broadcast } from './structure'

/** A tensor that changes with every evaluation: the unknowns of an attack. */
export function input(graph: Graph, name: string, shape: Shape): Node<'input'> {
  requireGraph('input', graph)
  requireName('input', name)
  requireShape('input', shape)
  return graph.intern('input', [], { name }, [...shape])
}

/** A tensor bound once for many evaluations; its values never enter the graph. */
export function parameter(graph: Graph, name: string, shape: Shape): Node<'parameter'> {
  requireGraph('parameter', graph)
  requireName('parameter', name)
  requireShape('parameter', shape)
  return graph.intern('parameter', [], { name }, [...shape])
}

/** One number, of shape []. */
export function scalar(graph: Graph, value: number): Node {
  requireGraph('scalar', graph)
  requireNumber('scalar', 'value', value)
  return graph.intern('constant', [], { values: [value] }, [])
}

/** A few finite numbers, known while the graph is built. */
export function constant(graph: Graph, values: readonly number[], shape: Shape): Node {
  requireGraph('constant', graph)
  requireShape('constant', shape)
  if (!Array.isArray(values) || values.length !== sizeOf(shape) || values.length === 0)
    throw invalid(
      'constant',
      `values must be a list of ${sizeOf(shape)} numbers, as many as [${shape}] has, and one at least`,
    )
  if (values.every((v) => v === values[0])) return fill(graph, values[0], shape)
  const wrong = values.findIndex((v) => !Number.isFinite(v))
  if (wrong >= 0) throw invalid('constant', `value ${wrong} is ${show(values[wrong])}; it must be a finite number`)
  return graph.intern('constant', [], { values: [...values] }, [...shape])
}

/** A node with one number everywhere. */
export function fill(graph: Graph, value: number, shape: Shape): Node {
  requireShape('fill', shape)
  return broadcast(scalar(graph, value), shape)
}

/** 0, 1, …, size − 1. */
export function iota(graph: Graph, size: number): Node {
  requireGraph('iota', graph)
  if (!Number.isSafeInteger(size) || size < 1)
    throw invalid('iota', `size is ${show(size)}; it must be a whole number of at least 1`)
  return size === 1 ? fill(graph, 0, [1]) : graph.intern('iota', [], { size }, [size])
}

/** The number a node holds everywhere, when that is known while the graph is built. */
export function uniformValue(node: Node): number | undefined {
  requireNodes('uniformValue', node)
  if (node.op === 'constant') return node.attributes.values.length === 1 ? node.attributes.values[0] : undefined
  return node.op === 'broadcast' ? uniformValue(node.inputs[0]) : undefined
}
