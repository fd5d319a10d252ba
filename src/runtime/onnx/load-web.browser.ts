import type * as node from './load-web'
import type { OnnxRuntimeModule } from './portable'

/** The build of onnxruntime-web for WebAssembly alone: half the size of the whole, and half its CPU time. */
export const importOnnxRuntimeWeb: typeof node.importOnnxRuntimeWeb = async () => {
  const ort = await import('onnxruntime-web/wasm')
  return ((ort as { default?: OnnxRuntimeModule }).default ?? ort) as OnnxRuntimeModule
}
