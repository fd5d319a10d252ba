import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'

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
