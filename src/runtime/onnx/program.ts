import { type Node, reachable, sameShape } from '../../graph'
import { meanWork, mostHeld, operands, plan } from '../plan'
import { rewritten } from '../rewrite'
import { readInSuccession } from '../rewrite/succession'
import type { Program } from '../runtime'
import { type Builder, createBuilder } from './builder'
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
  /** How many numbers are in memory at once, at most, as it runs, beside what is bound. */
  readonly held: number
  /** Whether there are convolutions in it. */
  readonly convolves: boolean
  /** Multiplications for each node that runs, on average. */
  readonly work: number
  /** The model, with these of the bound nodes built in, by name. */
  encode(builtIn: ReadonlyMap<string, Float32Array>): Uint8Array
}

/**
 * Writes a program as an ONNX model.
 *
 * @param onProcessor whether it runs on a processor and not on a GPU
 */
export function lowerProgram(plain: Program, onProcessor = true): LoweredProgram {
  const program = onProcessor ? readInSuccession(rewritten(plain)) : rewritten(plain)
  const { bound, steps } = plan(program)
  const b = createBuilder(onProcessor)
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
  const done = new Set<Partition>()
  const parts = partitions(steps.map(({ node }) => node))
  for (const { node } of steps) {
    const whole = node.op === 'slice' ? parts.get(node.inputs[0]) : undefined
    if (!whole) lower(b, node)
    else if (whole.nodes.length > 0 && !done.has(whole)) {
      done.add(whole)
      split(b, whole)
    }
  }
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
    held: mostHeld(program),
    work: meanWork(steps),
    convolves: b.nodes.some(({ op }) => op.startsWith('Conv')),
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

/** Slices that are all parts of a node along one axis, one after the other. */
interface Partition {
  readonly axis: number
  readonly nodes: readonly Node<'slice'>[]
}

/** The nodes of which only parts are read that make up the whole: they are taken apart in one kernel. */
function partitions(nodes: readonly Node[]): Map<Node, Partition> {
  const slices = new Map<Node, Node<'slice'>[]>()
  for (const node of nodes) {
    if (node.op !== 'slice') continue
    slices.set(node.inputs[0], [...(slices.get(node.inputs[0]) ?? []), node])
  }
  const found = new Map<Node, Partition>()
  for (const [source, all] of slices) {
    const axis = source.shape.findIndex((n, i) => n !== all[0].shape[i])
    const sorted = [...all].sort((a, b) => a.attributes.start[axis] - b.attributes.start[axis])
    let end = 0
    const follows = sorted.every((n) => {
      const begins = n.attributes.start[axis] === end && sameShape(n.shape.with(axis, 1), source.shape.with(axis, 1))
      end += n.shape[axis]
      return begins
    })
    // columns are read where they lie in one piece
    const columns = axis === source.shape.length - 1 && all[0].shape[axis] === 1
    if (all.length > 1 && !columns && follows && end === source.shape[axis]) found.set(source, { axis, nodes: sorted })
  }
  return found
}

/** Outputs of one Split: a kernel of WebGPU may have eight buffers on every device, and the input is one. */
const MOST_PARTS = 7

function split(b: Builder, { axis, nodes }: Partition): void {
  const sizeOf = (parts: readonly Node<'slice'>[]) => parts.reduce((sum, n) => sum + n.shape[axis], 0)
  const takeApart = (name: string, parts: readonly Node<'slice'>[]): void => {
    if (parts.length === 1) {
      b.define(parts[0], name)
      return
    }
    const each = b.onProcessor ? 1 : Math.ceil(parts.length / MOST_PARTS)
    const groups = Array.from({ length: Math.ceil(parts.length / each) }, (_, i) =>
      parts.slice(i * each, (i + 1) * each),
    )
    const names = b.emitAll('Split', [name, b.integers(groups.map(sizeOf))], groups.length, { axis })
    for (const [i, group] of groups.entries()) takeApart(names[i], group)
  }
  takeApart(b.value(nodes[0].inputs[0]), nodes)
}
