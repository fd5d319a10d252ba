import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'

// the command tells tfjs that this is not Node, so that it says nothing; the next file shares the process
tf.env().set('IS_NODE', true)
