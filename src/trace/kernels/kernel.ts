import type { Graph, Node } from '../../graph'

/** A kernel's inputs by tfjs's names; a list of inputs has the names 0, 1, …. */
export type KernelInputs = Readonly<Record<string, Node>>

/** A kernel's attributes as tfjs passes them: their types are tfjs's own, per kernel. */
// biome-ignore lint/suspicious/noExplicitAny: tfjs types attributes per kernel name
export type KernelAttributes = any

/** A tfjs kernel written as graph nodes. There is one entry per name of the tfjs kernel registry. */
export type TraceKernel = (inputs: KernelInputs, attributes: KernelAttributes, graph: Graph) => Node | Node[]

export type TraceKernels = Readonly<Record<string, TraceKernel>>

/** Axis attributes of tfjs are a number, a list or absent (all axes). */
export function axesOf(axis: number | readonly number[] | undefined | null, rank: number): number[] {
  const all = axis === undefined || axis === null ? Array.from({ length: rank }, (_, i) => i) : [axis].flat()
  return all.map((a) => (a < 0 ? a + rank : a))
}
