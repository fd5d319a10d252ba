import { DlgError } from '../errors/dlg-error'
import { onnx } from './onnx/node'
import { reference } from './reference'
import type { Runtime } from './runtime'
import { tfjs } from './tfjs'

/** `auto` takes onnxruntime-node where it is installed and can run the graph, else the active tfjs backend. */
export type RuntimeName = (typeof RUNTIME_NAMES)[number]

export const RUNTIME_NAMES = ['auto', 'onnx', 'tfjs', 'reference'] as const

const runtimes: Record<RuntimeName, () => Runtime> = { auto, onnx, tfjs, reference }

export const chooseRuntime = (name: RuntimeName): Runtime => runtimes[name]()

function auto(): Runtime {
  return {
    name: 'auto',
    precision: 'float32',
    async compile(program) {
      if (typeof process === 'undefined' || !process.versions?.node) return tfjs().compile(program)
      try {
        return await onnx().compile(program)
      } catch (error) {
        if (error instanceof DlgError && error.code === 'runtime') return tfjs().compile(program)
        throw error
      }
    },
  }
}
