import { DlgError } from '../../errors'
import type { Runtime } from '../runtime'
import { type OnnxOptions, type OnnxRuntimeModule, onnxRuntime } from './index'

/**
 * onnxruntime-node: the fastest runtime in Node. Graphs are compiled to ONNX once and run in float32.
 *
 * @throws DlgError `runtime` when the package is missing or cannot be loaded.
 */
export const onnx = (options: OnnxOptions = {}): Runtime => onnxRuntime(loadOnnxRuntimeNode, options, true)

export async function loadOnnxRuntimeNode(): Promise<OnnxRuntimeModule> {
  try {
    // a name that bundlers do not follow: in a browser there is no such package
    const name = 'onnxruntime-node'
    const ort = await import(/* @vite-ignore */ /* webpackIgnore: true */ name)
    return ort.default ?? ort
  } catch (cause) {
    throw new DlgError(
      'runtime',
      `onnxruntime-node cannot be loaded (${(cause as Error).message}); install it with: npm install onnxruntime-node`,
      {
        cause,
      },
    )
  }
}
