/**
 * Runs the compiled graphs on onnxruntime-web, in a browser or in Node.
 *
 * @module dlg-ts/onnx-web
 */

import { DlgError } from '../../errors/dlg-error'
import type { Runtime } from '../runtime'
import { onnxRuntime } from '.'
import type { OnnxOptions, OnnxRuntimeModule } from './portable'

/**
 * onnxruntime-web: the same compiled graphs in a browser (or in Node, as WebAssembly).
 *
 * @throws DlgError `runtime` when the package is missing or cannot be loaded.
 */
export const onnxWeb = ({ executionProviders = ['wasm'], ...options }: OnnxOptions = {}): Runtime =>
  onnxRuntime(loadOnnxRuntimeWeb, { ...options, executionProviders })

async function loadOnnxRuntimeWeb(): Promise<OnnxRuntimeModule> {
  try {
    const ort = await import('onnxruntime-web')
    return ((ort as { default?: OnnxRuntimeModule }).default ?? ort) as OnnxRuntimeModule
  } catch (cause) {
    throw new DlgError(
      'runtime',
      `onnxruntime-web cannot be loaded (${(cause as Error).message}); install it with: npm install onnxruntime-web`,
      { cause },
    )
  }
}
