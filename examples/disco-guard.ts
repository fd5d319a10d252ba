/**
 * A guard for a client of DISCO (epfml/disco): before an update leaves, it asks what anybody reads from it without a search, and holds it back if that is
 * data. The noise is of the form that DISCO adds, and its ε is counted over all tensors and rounds.
 *
 *   npx tsx examples/disco-guard.ts
 */
import { pathToFileURL } from 'node:url'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { gradientsOf } from '../src' // 'dlg-ts'
import { type StaticFinding, staticFindings } from '../src/audit' // 'dlg-ts/audit'
import { epsilonOf } from '../src/defences' // 'dlg-ts/defences'

const LEARNING_RATE = 0.1

/** The settings of DISCO's `differentialPrivacy`. */
export interface Privacy {
  readonly epsilon: number
  readonly delta: number
  /** Largest norm of each tensor of the update. */
  readonly clippingRadius: number
}

/** σ in units of what one update can change a tensor by, 2 · clippingRadius. */
const noiseMultiplier = ({ epsilon, delta }: Privacy): number => Math.sqrt(2 * Math.log(1.25 / delta)) / epsilon

/** What a round of training changes, each tensor clipped and with noise of its own: every tensor has the whole ε. */
export function noised(update: readonly tf.Tensor[], privacy: Privacy): tf.Tensor[] {
  const { clippingRadius: radius } = privacy
  return update.map((w) =>
    tf.tidy(() => {
      const clipped = tf.div(w, Math.max(1, tf.norm(w).dataSync()[0] / radius))
      return tf.add(clipped, tf.randomNormal(w.shape, 0, 2 * radius * noiseMultiplier(privacy)))
    }),
  )
}

/** The ε of a whole training: of every tensor in every round, which see the same data. */
export function epsilonOfTraining(privacy: Privacy, tensors: number, rounds: number): number {
  const steps = { noiseMultiplier: noiseMultiplier(privacy), steps: tensors * rounds }
  return epsilonOf(steps, { delta: privacy.delta, accountant: 'rdp' }).epsilon
}

/** What stands between training and sending: the update, or why it stays. */
export async function guard(
  model: LayersModel,
  before: readonly tf.Tensor[],
  delta: readonly tf.Tensor[],
): Promise<{ readonly send: boolean; readonly findings: readonly StaticFinding[] }> {
  const update = { learningRate: LEARNING_RATE, localSteps: 1 }
  const findings = await staticFindings(model, { before: [...before], delta: [...delta] }, { update, batchSize: 1 })
  return { send: !findings.some(({ code }) => code === 'data'), findings }
}

/** One round of DISCO's loop on one sample, up to what would be sent. */
export async function round(model: LayersModel, x: tf.Tensor, label: number, privacy?: Privacy) {
  const gradients = await gradientsOf(model, x, [label])
  const before = model.trainableWeights.map((w) => tf.clone(w.read()))
  const plain = model.trainableWeights.map((w) => tf.mul(gradients[w.name], -LEARNING_RATE))
  const delta = privacy ? noised(plain, privacy) : plain
  const decision = await guard(model, before, delta)
  tf.dispose([gradients, before, plain, delta])
  return decision
}

export function network(): LayersModel {
  const model = sequential()
  model.add(
    layers.dense({
      inputShape: [8],
      units: 12,
      activation: 'relu',
      kernelInitializer: initializers.glorotUniform({ seed: 1 }),
    }),
  )
  model.add(layers.dense({ units: 4, kernelInitializer: initializers.glorotUniform({ seed: 2 }) }))
  return model
}

async function main(): Promise<void> {
  const model = network()
  const x = tf.randomUniform([1, 8])
  const privacy: Privacy = { epsilon: 1, delta: 1e-5, clippingRadius: 1 }
  for (const [name, noise] of [['as it is', undefined] as const, ['with noise', privacy] as const]) {
    const { send, findings } = await round(model, x, 2, noise)
    console.log(`${name}: ${send ? 'sent' : 'held back'}`)
    for (const { level, words } of findings) console.log(`  ${level}: ${words}`)
  }
  const tensors = model.trainableWeights.length
  for (const rounds of [1, 10, 100]) {
    const spent = epsilonOfTraining(privacy, tensors, rounds)
    console.log(
      `ε = ${privacy.epsilon} for each of ${tensors} tensors, ${rounds} rounds: ε = ${spent.toFixed(1)} in all`,
    )
  }
  x.dispose()
  model.dispose()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
