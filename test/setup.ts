import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'

// files share a process, and each begins with what another may have changed as it is in a fresh one
await tf.setBackend('cpu')
// the command tells tfjs that this is not Node, so that it says nothing
tf.env().set('IS_NODE', true)
