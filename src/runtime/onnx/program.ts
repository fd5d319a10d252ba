import { type Node, reachable } from '../../graph'
import { operands, plan } from '../plan'
import type { Program } from '../runtime'
import { createBuilder } from './builder'
import { lower } from './lower'
import { encodeModel } from './model'

/** A program as ONNX: what goes in, in which order, and what comes out. */
export interface LoweredProgram {
  /** Nodes that are computed once, when parameters are bound, inputs before users. */
  readonly computed: readonly Node[]
  /** Bound nodes the model reads. */
  readonly fed: readonly { readonly node: Node; readonly name: string }[]
  readonly inputs: readonly { readonly node: Node; readonly name: string }[]
  /** Names the model reads: an input nothing depends on is not one of its inputs. */
  readonly used: ReadonlySet<string>
  readonly outputs: readonly { readonly node: Node; readonly name: string }[]
  /** The model, with these of the bound nodes built in, by name. */
  encode(builtIn: ReadonlyMap<string, Float32Array>): Uint8Array
}

/** Writes a program as an ONNX model. */
export function lowerProgram(program: Program): LoweredProgram {
  const { bound, steps } = plan(program)
  const b = createBuilder()
  const inputs = program.inputs.map((node, i) => ({ node: node as Node, name: `x${i}` }))
  for (const { node, name } of inputs) b.define(node, name)
  const read = new Set<Node>([...steps.flatMap(({ node }) => operands(node)), ...program.outputs])
  const fed: { node: Node; name: string }[] = []
  for (const { node } of bound) {
    if (!read.has(node)) continue
    if (node.op === 'constant') b.define(node, b.floats(node.attributes.values, node.shape))
    else {
      const name = `p${fed.length}`
      fed.push({ node, name })
      b.define(node, name)
    }
  }
  for (const { node } of steps) lower(b, node)
  // an output gets a name of its own: it may be an input, or asked for twice
  const outputs = program.outputs.map((node) => ({ node, name: b.emit('Identity', [b.value(node)]) }))
  const value = ({ node, name }: { node: Node; name: string }) => ({ name, shape: node.shape })
  const used = new Set(b.nodes.flatMap((n) => n.inputs))
  const fedNodes = fed.filter(({ name }) => used.has(name))
  return {
    computed: reachable(fedNodes.filter(({ node }) => node.op !== 'parameter').map(({ node }) => node)),
    fed: fedNodes,
    inputs,
    used,
    outputs,
    encode(builtIn) {
      const initializers = fedNodes.filter(({ name }) => builtIn.has(name))
      return encodeModel({
        nodes: b.nodes,
        initializers: [
          ...b.initializers.filter(({ name }) => used.has(name)),
          ...initializers.map(({ node, name }) => ({ name, shape: node.shape, data: builtIn.get(name)! })),
        ],
        inputs: [...inputs, ...fed].map(value).filter(({ name }) => used.has(name) && !builtIn.has(name)),
        outputs: outputs.map(value),
      })
    },
  }
}
