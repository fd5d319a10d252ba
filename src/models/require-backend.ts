import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'

/** A model's weights are tensors, and tfjs makes these in a backend. @throws DlgError `runtime` where none is ready */
export function requireBackend(): void {
  try {
    tf.backend()
  } catch (cause) {
    throw new DlgError(
      'runtime',
      "tfjs has no backend to hold the weights in; import '@tensorflow/tfjs-backend-cpu' first, or import another and await tf.setBackend(name)",
      { cause },
    )
  }
}
