/**
 * Signals of 128 steps and three channels, sums of slow waves, through a network of two convolutions over time with ReLU, at
 * fresh weights: what comes back with priors and without.
 *
 *   npx tsx bench/signals.ts [--count 5] [--iterations 100] [--jumps]
 *
 * With --jumps the signals are constant but for four jumps.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { deepLeakageFromGradients, gradientsOf, type LeakageOptions } from '../src'
import { mse } from '../src/metrics'
import { random } from '../src/numbers/random'
import { short, table } from './table'
import { median } from './timing'

const [TIME, CHANNELS, CLASSES] = [128, 3, 5]

function network(seed: number): Sequential {
  let drawn = 10 * seed
  const kernelInitializer = () => initializers.glorotUniform({ seed: drawn++ })
  const model = sequential()
  const convolution = { kernelSize: 5, strides: 2, padding: 'same', activation: 'relu' } as const
  model.add(
    layers.conv1d({
      ...convolution,
      filters: 16,
      inputShape: [TIME, CHANNELS],
      kernelInitializer: kernelInitializer(),
    }),
  )
  model.add(layers.conv1d({ ...convolution, filters: 32, kernelInitializer: kernelInitializer() }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: CLASSES, kernelInitializer: kernelInitializer() }))
  return model
}

/** [TIME, CHANNELS] in [0, 1]. */
function signal(seed: number, jumps: boolean): Float32Array {
  const draw = random(seed, 7)
  const out = new Float32Array(TIME * CHANNELS)
  for (let c = 0; c < CHANNELS; c++) {
    const waves = Array.from({ length: 4 }, (_, k) => ({ f: (k + draw.uniform()) / TIME, phase: 7 * draw.uniform() }))
    const steps = Array.from({ length: 4 }, () => ({ at: TIME * draw.uniform(), by: draw.normal() }))
    for (let t = 0; t < TIME; t++) {
      const slow = waves.reduce((sum, { f, phase }) => sum + Math.sin(2 * Math.PI * f * t + phase), 0)
      const level = steps.reduce((sum, { at, by }) => sum + (t > at ? by : 0), 0)
      out[t * CHANNELS + c] = 0.5 + (jumps ? level : slow) / 8
    }
  }
  return out.map((v) => Math.min(1, Math.max(0, v)))
}

const RECIPES: readonly (readonly [string, LeakageOptions])[] = [
  ['none', {}],
  ['totalVariation 1e-3', { priors: { totalVariation: 1e-3 } }],
  ['totalVariation 1e-2', { priors: { totalVariation: 1e-2 } }],
  ['spectral 1e-1', { priors: { spectral: 1e-1 } }],
  ['spectral 1', { priors: { spectral: 1 } }],
]

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '5' },
      iterations: { type: 'string', default: '100' },
      jumps: { type: 'boolean', default: false },
    },
  })
  await tf.setBackend('cpu')
  const found = RECIPES.map((): number[] => [])
  for (let seed = 1; seed <= Number(values.count); seed++) {
    const model = network(seed)
    const data = signal(seed, values.jumps)
    const x = tf.tensor(data, [1, TIME, CHANNELS])
    const shared = await gradientsOf(model, x, [seed % CLASSES])
    for (const [i, [name, options]] of RECIPES.entries()) {
      const search = { iterations: Number(values.iterations), restarts: 1, certainty: false } as const
      const leak = await deepLeakageFromGradients(model, shared, { labels: 'infer', ...search, ...options })
      const psnr = -10 * Math.log10(mse(await leak.data.data(), data))
      found[i].push(psnr)
      const work = `${leak.relativeLoss.toExponential(1)}  ${leak.evaluations} evaluations  ${short(leak.milliseconds / 1000)} s`
      console.log(`${seed}  ${name}  ${leak.preset.name}  ${leak.status}  ${psnr.toFixed(1)} dB  ${work}`)
      leak.dispose()
    }
    tf.dispose([x, shared])
    model.dispose()
  }
  const rows = RECIPES.map(([name], i) => [name, ...[median(found[i]), Math.min(...found[i])].map((v) => v.toFixed(1))])
  console.log(`\n${table(['prior', 'median dB', 'least dB'], rows)}`)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
