import * as tf from '@tensorflow/tfjs-core'
import type { LeakageOptions } from '../attacks/matching/options'
import { DlgError } from '../errors/dlg-error'
import { loadOnnxRuntimeNode } from '../runtime/onnx/node'
import type { Terminal } from './terminal'

export { leaveOtherCores } from '../runtime/onnx/portable'

export const BACKENDS = ['cpu', 'wasm'] as const

/** Loads a tfjs backend, which is a peer package, and makes it the active one. */
export async function useBackend(name: (typeof BACKENDS)[number]): Promise<void> {
  // tfjs advertises its native backend at its first use in Node
  tf.env().set('IS_NODE', false)
  const module = `@tensorflow/tfjs-backend-${name}`
  try {
    await import(module)
  } catch (cause) {
    throw new DlgError(
      'runtime',
      `--backend ${name} needs ${module}, which cannot be loaded; install it with: npm install ${module}@${tf.version_core}`,
      { cause },
    )
  }
  // its threads are for browsers
  if (name === 'wasm') tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  if (!(await tf.setBackend(name))) throw new DlgError('runtime', `--backend ${name} does not start on this machine`)
}

/** Makes wasm the active backend where it is installed, which is several times as fast as cpu; else cpu. */
export async function useFastestBackend(): Promise<void> {
  try {
    await useBackend('wasm')
  } catch (error) {
    if (!(error instanceof DlgError)) throw error
    await useBackend('cpu')
  }
}

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
