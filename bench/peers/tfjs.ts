/**
 * Stock TensorFlow.js as a peer, by tf.grads of tf.grads: for the record, since its second derivatives are wrong or
 * missing. argv[2]: cpu or wasm.
 */
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { FunctionalModel, Model } from '../../src'
import { writeFileAtomic } from '../../src/io'
import { buildModel, findCase, problemOf } from '../cases'
import { serve } from '../serve'
import { timed } from '../timing'

const backend = process.argv[2]
await import(`@tensorflow/tfjs-backend-${backend}`)
await tf.setBackend(backend)

/** A model as tensors, and a forward pass that reads those given instead of its own. */
function asFunction(model: Model): { weights: tf.Tensor[]; apply: (x: tf.Tensor, weights: tf.Tensor[]) => tf.Tensor } {
  if (!('layers' in model)) {
    const { weights, apply } = model as FunctionalModel
    const names = Object.keys(weights)
    return {
      weights: Object.values(weights),
      apply: (x, given) => apply(x, Object.fromEntries(names.map((name, i) => [name, given[i]]))),
    }
  }
  const layers = model as LayersModel
  const variables = layers.trainableWeights
  return {
    weights: variables.map((v) => v.read()),
    apply(x, given) {
      const reads = variables.map((v) => v.read)
      variables.forEach((v, i) => {
        v.read = () => given[i] as tf.Variable
      })
      try {
        return layers.apply(x) as tf.Tensor
      } finally {
        variables.forEach((v, i) => {
          v.read = reads[i]
        })
      }
    },
  }
}

interface Open {
  readonly first: () => void
  readonly second: () => { value: tf.Scalar; grads: tf.Tensor[] }
}

let open: Open | undefined

/** Runs once and lets go of everything; reads a value, so that nothing is left queued. */
const settle = (what: () => void) => async () => {
  tf.tidy(what)
}

await serve({
  about: async () => ({ name: `tfjs ${backend}`, version: `tfjs ${tf.version_core}` }),

  async open({ name }: { name: string }) {
    const c = findCase(name)
    const { weights, apply } = asFunction(buildModel(c))
    const { x, labels, start } = problemOf(c)
    const lossOf = (data: tf.Tensor, soft: tf.Tensor, given: tf.Tensor[]): tf.Scalar =>
      tf.neg(tf.mean(tf.sum(tf.mul(soft, tf.logSoftmax(apply(data, given) as tf.Tensor2D)), -1)))
    const gradient = (data: tf.Tensor, soft: tf.Tensor) =>
      tf.grads((...given: tf.Tensor[]) => lossOf(data, soft, given))(weights)
    const soft = tf.oneHot(tf.tensor1d([...labels], 'int32'), c.classes)
    const first = () => {
      gradient(x, tf.cast(soft, 'float32')).forEach((g) => void g.dataSync())
    }
    const began = performance.now()
    tf.tidy(first)
    const shared = gradient(x, tf.cast(soft, 'float32'))
    const objective = (data: tf.Tensor, logits: tf.Tensor): tf.Scalar => {
      const differences = gradient(data, tf.softmax(logits as tf.Tensor2D)).map((g, i) => tf.sub(g, shared[i]))
      return tf.addN(differences.map((d) => tf.sum(tf.square(d)))) as tf.Scalar
    }
    const derivative = tf.valueAndGrads((data: tf.Tensor, logits: tf.Tensor) => objective(data, logits))
    const second = () => {
      const result = derivative([start.data, start.labels])
      for (const g of result.grads) g.dataSync()
      return result as { value: tf.Scalar; grads: tf.Tensor[] }
    }
    open = { first, second }
    let throws: string | undefined
    try {
      tf.tidy(() => void second())
    } catch (error) {
      throws = (error as Error).message.split('\n')[0].slice(0, 120)
    }
    return { compileMs: performance.now() - began, throws }
  },

  async value({ file }: { file: string }) {
    const { value, grads } = open!.second()
    const parts = await Promise.all(grads.map((g) => g.data()))
    const all = Float32Array.from(parts.flatMap((p) => [...p]))
    writeFileAtomic(file, new Uint8Array(all.buffer))
    return { value: (await value.data())[0] }
  },

  evaluate: ({ ms }: { ms: number }) =>
    timed(
      ms,
      settle(() => void open!.second()),
    ),
  /** The client's gradient alone. */
  gradient: ({ ms }: { ms: number }) => timed(ms, settle(open!.first)),
  memory: async () => ({ peakMb: process.resourceUsage().maxRSS / 1024 }),
})
