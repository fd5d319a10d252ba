import type { OnnxRuntimeModule } from './portable'

/** onnxruntime-web, as Node runs it. */
export const importOnnxRuntimeWeb = async (): Promise<OnnxRuntimeModule> => {
  const ort = await import('onnxruntime-web')
  return ((ort as { default?: OnnxRuntimeModule }).default ?? ort) as OnnxRuntimeModule
}
