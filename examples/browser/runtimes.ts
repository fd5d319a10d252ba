import '@tensorflow/tfjs-backend-cpu'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url'
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url'
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'
import * as tf from '@tensorflow/tfjs-core'
// with it, 'auto' takes onnxruntime-web
import { startOnnxWeb } from 'dlg-ts/onnx-web'

const address = (path: string): string => new URL(path, self.location.href).href

setWasmPaths({
  'tfjs-backend-wasm.wasm': address(plain),
  'tfjs-backend-wasm-simd.wasm': address(simd),
  'tfjs-backend-wasm-threaded-simd.wasm': address(threaded),
})

/**
 * Starts tfjs, which the network is written in: its WebAssembly, else plain JavaScript. onnxruntime-web is loaded meanwhile: where it
 * cannot be, 'auto' takes tfjs.
 */
export async function startTfjs(): Promise<void> {
  startOnnxWeb().catch(() => {})
  if (!(await tf.setBackend('wasm').catch(() => false))) await tf.setBackend('cpu')
  await tf.ready()
}
