import { DlgError } from '../../errors'
import type { Runtime } from '../runtime'
import { type OnnxOptions, type OnnxRuntimeModule, onnxRuntime } from './index'

/**
 * onnxruntime-node: the fastest runtime in Node. Graphs are compiled to ONNX once and run in float32.
 *
 * @throws DlgError `runtime` when the package is missing or cannot be loaded.
 */
export const onnx = (options: OnnxOptions = {}): Runtime => onnxRuntime(loadOnnxRuntimeNode, options)

export async function loadOnnxRuntimeNode(): Promise<OnnxRuntimeModule> {
  try {
    const ort = await import('onnxruntime-node')
    return ((ort as { default?: OnnxRuntimeModule }).default ?? ort) as OnnxRuntimeModule
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
