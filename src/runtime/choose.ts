import { DlgError } from '../errors/dlg-error'
import { onnx } from './onnx/node'
import { preferredRuntime } from './preferred'
import { reference } from './reference'
import type { Runtime } from './runtime'
import { tfjs } from './tfjs'

/**
 * `auto` takes onnxruntime-node where it is installed and can run the graph, else the active tfjs backend. Outside Node it takes
 * onnxruntime-web where the page has imported `dlg-ts/onnx-web` and its WebAssembly loads, else the active tfjs backend.
 */
export type RuntimeName = 'auto' | 'onnx' | 'tfjs' | 'reference'

export const RUNTIME_NAMES: readonly RuntimeName[] = ['auto', 'onnx', 'tfjs', 'reference']

const runtimes: Record<RuntimeName, () => Runtime> = { auto, onnx, tfjs, reference }

export const chooseRuntime = (name: RuntimeName): Runtime => runtimes[name]()

/** The runtime that `runtime: 'auto'` chooses, as an object: see {@link RuntimeName}. Which one it is, `leak.runtime` says. */
export function auto(): Runtime {
  return {
    name: 'auto',
    precision: 'float32',
    async compile(program) {
      const isNode = typeof process !== 'undefined' && process.versions?.node
      const first = isNode ? onnx() : preferredRuntime()
      if (!first) return tfjs().compile(program)
      try {
        return await first.compile(program)
      } catch (error) {
        if (error instanceof DlgError && error.code === 'runtime') return tfjs().compile(program)
        throw error
      }
    },
  }
}
