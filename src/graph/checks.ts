import { show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { Graph, Node, Shape } from './node'

/** An error about what a node was to be made of. */
export const invalid = (operation: string, message: string): DlgError =>
  new DlgError('invalid-graph', `${operation}: ${message}`)

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const isGraph = (value: unknown): boolean => isObject(value) && typeof value.intern === 'function'

/** @throws DlgError `invalid-graph` */
export function requireGraph(operation: string, graph: Graph): void {
  if (!isGraph(graph)) throw invalid(operation, `graph is ${show(graph)}; it must be one that createGraph made`)
}

/** Nodes of one graph. @throws DlgError `invalid-graph` for what is no node, and for nodes of two graphs */
export function requireNodes(operation: string, ...nodes: readonly Node[]): void {
  for (const node of nodes) {
    // every node is frozen when it is made: a copy of one is none
    if (!isObject(node) || !Object.isFrozen(node) || !isGraph(node.graph) || !Array.isArray(node.shape))
      throw invalid(operation, `${show(node)} is no node; operands must be nodes of a graph`)
    if (node.graph !== nodes[0].graph)
      throw invalid(operation, 'inputs belong to different graphs; all of them must be of one')
  }
}

/** A list of nodes. @throws DlgError `invalid-graph` */
export function requireNodeList(operation: string, nodes: readonly Node[], least = 0): void {
  if (!Array.isArray(nodes) || nodes.length < least)
    throw invalid(operation, `${show(nodes)} must be a list of ${least > 0 ? `at least ${least} ` : ''}nodes`)
  requireNodes(operation, ...nodes)
}

/** Whole numbers of at least 0. @throws DlgError `invalid-graph` */
export function requireShape(operation: string, shape: Shape, what = 'shape'): void {
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw invalid(operation, `${what} is ${show(shape)}; it must be a list of whole numbers of at least 0`)
}

/** As many whole numbers of at least `least` as there are axes. @throws DlgError `invalid-graph` */
export function requireCounts(
  operation: string,
  what: string,
  values: readonly number[],
  rank: number,
  least = 0,
): void {
  if (!Array.isArray(values) || values.length !== rank || !values.every((n) => Number.isSafeInteger(n) && n >= least))
    throw invalid(operation, `${what} is ${show(values)}; it must be ${rank} whole numbers of at least ${least}`)
}

/** @throws DlgError `invalid-graph` */
export function requireAxis(operation: string, axis: number, rank: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank)
    throw invalid(operation, `axis is ${show(axis)}; it must be a whole number in [0, ${rank})`)
}

/** Axes, of which negative ones count from the end. @throws DlgError `invalid-graph` */
export function requireAxes(operation: string, axes: readonly number[], rank: number): void {
  const wrong = !Array.isArray(axes) || !axes.every((axis) => Number.isInteger(axis) && axis >= -rank && axis < rank)
  if (wrong)
    throw invalid(operation, `axes are ${show(axes)}; they must be a list of whole numbers in [${-rank}, ${rank})`)
}

/** The axes 0, 1, … in some order. @throws DlgError `invalid-graph` */
export function requirePermutation(operation: string, permutation: readonly number[]): void {
  const right = Array.isArray(permutation) && permutation.every((_, i) => permutation.includes(i))
  if (!right) throw invalid(operation, `permutation is ${show(permutation)}; it must have each axis 0, 1, … once`)
}

/** A number, which may be NaN or infinite. @throws DlgError `invalid-graph` */
export function requireNumber(operation: string, what: string, value: number): void {
  if (typeof value !== 'number') throw invalid(operation, `${what} is ${show(value)}; it must be a number`)
}

/** A name that values are bound by. @throws DlgError `invalid-graph` */
export function requireName(operation: string, name: string): void {
  if (typeof name !== 'string') throw invalid(operation, `name is ${show(name)}; it must be a string`)
}
