import { DlgError } from '../../errors/dlg-error'
import { type Node, reachable, sizeOf } from '../../graph'
import type { Executable, Program, Runtime, Values } from '../runtime'
import { convKernels } from './convolution'
import { elementwiseKernels } from './elementwise'
import type { Kernels, ReferenceKernel } from './kernel'
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
      const bound = bindStatic(nodes, parameters)
      return {
        async run(inputs) {
          const values = new Map(bound)
          program.inputs.forEach((node, i) => {
            values.set(node, Float64Array.from(inputs[i]))
          })
          for (const node of nodes) if (node.varying && node.op !== 'input') values.set(node, compute(node, values))
          return program.outputs.map((node) => Float64Array.from(values.get(node)!))
        },
        dispose() {},
      }
    },
    dispose() {},
  }
}

/** Values of the nodes that depend on parameters alone; inputs must come before their users. */
export function bindStatic(nodes: readonly Node[], parameters: ReadonlyMap<string, Values>): Map<Node, Float64Array> {
  const bound = new Map<Node, Float64Array>()
  for (const node of nodes) {
    if (node.varying) continue
    bound.set(node, node.op === 'parameter' ? Float64Array.from(boundValues(node, parameters)) : compute(node, bound))
  }
  return bound
}

function compute(node: Node, values: ReadonlyMap<Node, Float64Array>): Float64Array {
  const kernel = kernels[node.op as keyof Kernels] as ReferenceKernel
  return kernel(
    node,
    node.inputs.map((n) => values.get(n)!),
  )
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
