/**
 * Whether two error bars cover the true error: 20 gradients of a small sigmoid network for each variance of noise, without priors
 * and with the faint total variation.
 *
 * npx tsx bench/error-bars.ts [runs]
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import { deepLeakage, gradientsOf } from '../src/index'
import { random } from '../src/numbers/random'

const runs = Number(process.argv[2] ?? 20)

function network(seed: number) {
  const kernelInitializer = (k: number) =>
    initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed: 10 * seed + k })
  return sequential({
    layers: [
      layers.conv2d({
        ...{ inputShape: [8, 8, 1], filters: 6, kernelSize: 3, activation: 'sigmoid' },
        kernelInitializer: kernelInitializer(1),
      }),
      layers.flatten(),
      layers.dense({ units: 4, kernelInitializer: kernelInitializer(2) }),
    ],
  })
}

async function main() {
  await tf.setBackend('cpu')
  console.log('variance  priors  runs  matched  covered  rms error  rms bar  evaluations')
  for (const variance of [1e-8, 1e-6, 1e-4])
    for (const priors of [[], undefined] as const) {
      let [matched, within, pixels, squares, bars, evaluations] = [0, 0, 0, 0, 0, 0]
      const statuses = new Map<string, number>()
      for (let run = 1; run <= runs; run++) {
        const from = random(run)
        const model = network(run)
        const x = tf.tensor(
          Float32Array.from({ length: 64 }, () => from.uniform()),
          [1, 8, 8, 1],
        )
        const shared = await gradientsOf(model, x, [run % 4])
        const noised = Object.fromEntries(
          Object.entries(shared).map(([name, t]) => [
            name,
            { shape: t.shape, data: t.dataSync().map((v) => v + Math.sqrt(variance) * from.normal()) },
          ]),
        )
        const options = {
          labels: [run % 4],
          noise: variance,
          certainty: 'bars',
          preset: 'robust',
          seed: run,
          priors,
        } as const
        const leak = await deepLeakage(model, noised, options)
        statuses.set(leak.status, (statuses.get(leak.status) ?? 0) + 1)
        const found = leak.certainty?.bars && Object.values(leak.certainty.bars)[0].dataSync()
        if (found) {
          matched++
          evaluations += leak.certainty!.evaluations
          leak.data.dataSync().forEach((v, i) => {
            const error = Math.abs(v - x.dataSync()[i])
            if (error <= 2 * found[i]) within++
            squares += error ** 2
            bars += found[i] ** 2
            pixels++
          })
        }
        leak.dispose()
        tf.dispose([x, shared])
        model.dispose()
      }
      const rms = (sum: number) => Math.sqrt(sum / pixels).toExponential(1)
      console.log(
        [
          variance,
          priors ? 'none' : 'faint',
          runs,
          matched,
          `${((100 * within) / pixels).toFixed(1)} %`,
          rms(squares),
          rms(bars),
        ].join('  '),
        [...statuses].join(' '),
        Math.round(evaluations / Math.max(1, matched)),
      )
    }
}

void main()
