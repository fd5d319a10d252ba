import { DlgError } from '../../errors/dlg-error'
import { type Node, reachable, sizeOf } from '../../graph'
import type { Executable, Program, Runtime, Values } from '../runtime'
import { convKernels } from './convolution'
import { elementwiseKernels } from './elementwise'
import type { Kernels, ReferenceKernel } from './kernel'
import { moves } from './moves'
import { reductionKernels } from './reduction'
import { structureKernels } from './structure'

const kernels: Kernels = { ...elementwiseKernels, ...structureKernels, ...reductionKernels, ...convKernels }

/**
 * A plain interpreter in float64: slow, and the oracle that everything faster is tested against.
 */
export function reference(): Runtime {
  return { name: 'reference', precision: 'float64', compile: async (program) => compile(program) }
}

function compile(program: Program): Executable {
  const nodes = reachable(program.outputs)
  return {
    runtime: 'reference',
    async bind(parameters) {
      // parameters that no node reads are left as they are: a model has millions
      const read = new Set(nodes.map((node) => (node.op === 'parameter' ? node.attributes.name : undefined)))
      const exact = new Map([...parameters].flatMap(([name, values]) => (read.has(name) ? [[name, new Float64Array(values)] as const] : []))) // biome-ignore format: one line
      const bound = bindStatic(nodes, exact)
      return {
        async run(inputs) {
          const values = new Map(bound)
          program.inputs.forEach((node, i) => {
            values.set(node, new Float64Array(inputs[i]))
          })
          for (const node of nodes) if (node.varying && node.op !== 'input') values.set(node, compute(node, values))
          return program.outputs.map((node) => new Float64Array(values.get(node)!))
        },
        dispose() {},
      }
    },
    dispose() {},
  }
}

/**
 * Values of the nodes that depend on parameters alone; inputs must come before their users. What is computed is float64; what is only
 * moved keeps its type, and may be the caller's own array.
 */
export function bindStatic(nodes: readonly Node[], parameters: ReadonlyMap<string, Values>): Map<Node, Values> {
  const bound = new Map<Node, Values>()
  for (const node of nodes)
    if (!node.varying) bound.set(node, node.op === 'parameter' ? boundValues(node, parameters) : compute(node, bound))
  return bound
}

function compute(node: Node, values: ReadonlyMap<Node, Values>): Values {
  const inputs = node.inputs.map((n) => values.get(n)!)
  const move = moves[node.op as keyof typeof moves] as ((node: Node, inputs: readonly Values[]) => Values) | undefined
  if (move) return move(node, inputs)
  const kernel = kernels[node.op as keyof Kernels] as ReferenceKernel
  return kernel(node, inputs.map((x) => (x instanceof Float64Array ? x : new Float64Array(x)))) // biome-ignore format: one line
}

/** The caller's values of a parameter, as they are. */
export function boundValues(node: Node<'parameter'>, parameters: ReadonlyMap<string, Values>): Values {
  const values = parameters.get(node.attributes.name)
  if (values?.length !== sizeOf(node.shape))
    throw new DlgError(
      'runtime',
      `parameter ${node.attributes.name} needs ${sizeOf(node.shape)} values, got ${values?.length}`,
    )
  return values
}
