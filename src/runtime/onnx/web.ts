/**
 * Runs the compiled graphs on onnxruntime-web, in a browser or in Node.
 *
 * @module dlg-ts/onnx-web
 */

import { DlgError } from '../../errors/dlg-error'
import type { Runtime } from '../runtime'
import { onnxRuntime } from '.'
import { checkOnnxOptions, type OnnxOptions, type OnnxRuntimeModule } from './portable'

/**
 * onnxruntime-web: the same compiled graphs in a browser (or in Node, as WebAssembly).
 *
 * @throws DlgError `invalid-option`; `runtime`, when a program is compiled, where the package is missing or cannot be loaded.
 */
export function onnxWeb(options: OnnxOptions = {}): Runtime {
  checkOnnxOptions(options)
  return onnxRuntime(loadOnnxRuntimeWeb, { ...options, executionProviders: options.executionProviders ?? ['wasm'] })
}

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
