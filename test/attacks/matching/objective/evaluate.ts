import * as g from '../../../../src/graph'
import { reference } from '../../../../src/runtime/reference'
import { evaluate } from '../../../../src/runtime/runtime'

/** A scalar node of some tensors, and its gradient with respect to each, in float64. */
export async function valueAndGradients(
  build: (...inputs: g.Node[]) => g.Node,
  ...tensors: { shape: readonly number[]; data: readonly number[] }[]
): Promise<{ value: number; gradients: number[][] }> {
  const graph = g.createGraph()
  const inputs = tensors.map(({ shape }, i) => g.input(graph, `x${i}`, shape))
  const y = build(...inputs)
  const [value, ...gradients] = await evaluate(
    reference(),
    { inputs, outputs: [y, ...g.grad(y, inputs)] },
    new Map(),
    tensors.map(({ data }) => Float64Array.from(data)),
  )
  return { value: value[0], gradients: gradients.map((v) => [...v]) }
}

export const tensor = (shape: readonly number[], ...data: number[]) => ({ shape, data })
