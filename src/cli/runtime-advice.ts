import * as tf from '@tensorflow/tfjs-core'
import type { LeakageOptions } from '../attacks/matching/options'
import { DlgError } from '../errors/dlg-error'
import { loadOnnxRuntimeNode } from '../runtime/onnx/node'
import type { Terminal } from './terminal'

/**
 * Says on stderr, before a search, that it will run on tfjs's cpu backend because onnxruntime-node is missing. Whoever names a
 * runtime or another backend has chosen, and is told nothing. JSON on stdout stays as it is.
 */
export async function onnxAdvice(runtime: LeakageOptions['runtime'] = 'auto', { stderr }: Terminal): Promise<void> {
  if (runtime !== 'auto' || tf.getBackend() !== 'cpu') return
  try {
    await loadOnnxRuntimeNode()
  } catch (error) {
    if (!(error instanceof DlgError)) throw error
    stderr.write(
      'dlg: onnxruntime-node is missing, so this runs on tfjs cpu, which takes many times as long; npm install onnxruntime-node\n',
    )
  }
}
