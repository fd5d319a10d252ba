import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../../errors/dlg-error'
import { type Node, sizeOf } from '../../graph'
import { plan, type Step } from '../plan'
import { rewritten } from '../rewrite'
import type { Executable, Program, Runtime, Values } from '../runtime'
import { compute } from './kernels'

/**
 * Replays graphs on the tfjs backend that is active when it is compiled: cpu, wasm, webgl, webgpu, node. Arithmetic is
 * float32. Tensors are freed at their last use; weights stay on the device until the evaluator is disposed.
 *
 * @throws DlgError `runtime` when no backend can be started.
 */
export function tfjs(): Runtime {
  return {
    name: 'tfjs',
    precision: 'float32',
    async compile(program) {
      try {
        await tf.ready()
      } catch (cause) {
        throw new DlgError(
          'runtime',
          'no tfjs backend is registered; import one, such as @tensorflow/tfjs-backend-wasm',
          { cause },
        )
      }
      return compile(program, tf.getBackend())
    },
  }
}

function compile(plain: Program, backend: string): Executable {
  const program = rewritten(plain)
  const { bound, steps } = plan(program)
  return {
    runtime: `tfjs:${backend}`,
    async bind(parameters) {
      const onBackend = () => {
        if (tf.getBackend() !== backend)
          throw new DlgError(
            'runtime',
            `compiled for the tfjs backend '${backend}', but '${tf.getBackend()}' is active now`,
          )
      }
      onBackend()
      const kept = new Map<Node, tf.Tensor>()
      tf.tidy(() => {
        for (const { node } of bound) {
          const value =
            node.op === 'parameter' ? toTensor(node, parameters.get(node.attributes.name)) : computeNode(node, kept)
          kept.set(node, tf.keep(value))
        }
      })
      return {
        async run(inputs) {
          onBackend()
          const outputs = replay(program, steps, kept, inputs)
          try {
            return await Promise.all(outputs.map((t) => t.data() as Promise<Float32Array>))
          } finally {
            tf.dispose(outputs)
          }
        },
        dispose: () => tf.dispose([...kept.values()]),
      }
    },
    dispose() {},
  }
}

function computeNode(node: Node, values: ReadonlyMap<Node, tf.Tensor>): tf.Tensor {
  return tf.tidy(() => compute(node, (n) => values.get(n)!))
}

/** Runs the steps in order and frees what no later step reads. */
function replay(
  program: Program,
  steps: readonly Step[],
  kept: ReadonlyMap<Node, tf.Tensor>,
  inputs: readonly Values[],
): tf.Tensor[] {
  const values = new Map(kept)
  const made: tf.Tensor[] = []
  try {
    program.inputs.forEach((node, i) => {
      values.set(node, toTensor(node, inputs[i]))
      made.push(values.get(node)!)
    })
    for (const { node, last } of steps) {
      const value = computeNode(node, values)
      made.push(value)
      values.set(node, value)
      for (const n of last) values.get(n)!.dispose()
    }
    return program.outputs.map((node) => tf.tidy(() => tf.cast(values.get(node)!, 'float32').clone()))
  } finally {
    for (const t of made) if (!t.isDisposed) t.dispose()
  }
}

function toTensor(node: Node, values: Values | undefined): tf.Tensor {
  if (values?.length !== sizeOf(node.shape))
    throw new DlgError(
      'runtime',
      `${node.op} needs ${sizeOf(node.shape)} values for shape [${node.shape}], got ${values?.length}`,
    )
  return tf.tensor(Float32Array.from(values), [...node.shape], 'float32')
}
