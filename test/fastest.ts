import { inject } from 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    fastest: 'onnx' | 'tfjs'
  }
}

/** For whole searches that say nothing of a runtime: onnxruntime-node where it is installed, and tfjs elsewhere. */
export const fastest = inject('fastest')
