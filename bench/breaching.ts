/**
 * Ours and breaching's own attacker with its settings for *Inverting Gradients*, on equal weights and gradients, at equal
 * evaluations and at equal seconds. Images are files named CLASS-NUMBER.png or .jpg:
 *
 *   npm run bench:peers -- --images DIR [--network keras|blitz|resnet20] [--batches 1,4] [--skip 20] [--count 4] [--trained 0]
 *     [--steps 1] [--rate 0.01]
 *
 * With --steps above 1 the client shares how far its weights moved in so many steps of SGD over all its images. breaching's own
 * user takes the same steps, and its attacker unrolls them, as ours does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { deepLeakageFromGradients, gradientsOf } from '../src'
import { writeFileAtomic, writeSafetensors } from '../src/io'
import { movement } from './local-steps'
import { NETWORKS, networkName } from './networks'
import { type Peer, python, start } from './peer'
import { batchOf, decibels, labelsOf, type Picture, pictures, train } from './pictures'
import { short, table } from './table'
import { median } from './timing'

/** Iterations by which breaching's speed is told. */
const PROBE = 20

/** How far, relatively, the peer's gradient may be from ours. */
const AWAY = 1e-3

/** Likewise of local steps: where a unit is at its kink, rounding decides on which side it is in all later steps. */
const STEPS_AWAY = 1e-2

function options() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      network: { type: 'string', default: 'keras' },
      batches: { type: 'string', default: '1,4' },
      skip: { type: 'string', default: '20' },
      count: { type: 'string', default: '4' },
      trained: { type: 'string', default: '0' },
      iterations: { type: 'string' },
      seed: { type: 'string', default: '1' },
      steps: { type: 'string', default: '1' },
      rate: { type: 'string', default: '0.01' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  const network = networkName(values.network)
  const whole = (word: string): number => Number(word)
  return {
    ...({ folder: values.images, network, batches: values.batches.split(',').map(whole) } as const),
    ...{
      skip: whole(values.skip),
      count: whole(values.count),
      trained: whole(values.trained),
      seed: whole(values.seed),
      steps: whole(values.steps),
      rate: whole(values.rate),
    },
    iterations: values.iterations === undefined ? undefined : whole(values.iterations),
  }
}

/** Weights, what was shared, labels and data in one file, for a process of another language. */
async function handOver(
  file: string,
  model: LayersModel,
  x: tf.Tensor,
  labels: readonly number[],
  shared: tf.NamedTensorMap,
) {
  const trained = new Set(model.trainableWeights.map((w) => w.name))
  const weights = model.weights.map(
    (w) => [`${trained.has(w.name) ? 'trained' : 'fixed'} ${w.originalName}`, w.read()] as const,
  )
  const gradients = Object.entries(shared).map(([name, values]) => [`gradient ${name}`, values] as const)
  const tensors = new Map([
    ...[...weights, ...gradients, ['x', x] as const].map(([name, t]) => [name, plain(t)] as const),
    ['labels', { shape: [labels.length], data: Float32Array.from(labels) }] as const,
  ])
  await writeFileAtomic(file, writeSafetensors(tensors))
}

const plain = (t: tf.Tensor) => ({ shape: t.shape, data: t.dataSync() as Float32Array })

interface Row {
  readonly psnr: readonly number[]
  readonly evaluations: number
  readonly seconds: number
}

async function compare(
  peer: Peer,
  file: string,
  model: LayersModel,
  some: readonly Picture[],
  o: ReturnType<typeof options>,
) {
  const x = batchOf(some)
  const labels = labelsOf(some)
  const local = o.steps > 1
  const shared = local
    ? await movement(model, new Array(o.steps).fill(some), o.rate)
    : await gradientsOf(model, x, labels)
  const leak = await deepLeakageFromGradients(model, local ? { delta: shared } : shared, {
    ...{ labels, batchSize: some.length, seed: o.seed, iterations: o.iterations },
    ...(local && { update: { learningRate: o.rate, localSteps: o.steps } }),
  })
  const { evaluations, milliseconds, preset } = leak
  const ours: Row = { psnr: decibels(await leak.data.data(), some), evaluations, seconds: milliseconds / 1000 }
  leak.dispose()
  await handOver(file, model, x, labels, shared)
  tf.dispose([x, shared])
  const { residual } = await peer.ask({ do: 'open', file, kind: o.network, steps: o.steps, rate: o.rate })
  if (!(residual < (local ? STEPS_AWAY : AWAY)))
    throw new Error(`the peer shares what is ${residual} away from ours: it is another network`)
  const attack = async (iterations: number): Promise<Row> => {
    const { data, seconds } = await peer.ask({ do: 'attack', iterations, seed: o.seed }, 3600)
    return { psnr: decibels(data, some), evaluations: iterations, seconds }
  }
  // the first iterations are slower than the others
  await attack(PROBE / 4)
  const probe = await attack(PROBE)
  const seconds = await attack(Math.max(PROBE, Math.round((ours.seconds / probe.seconds) * PROBE)))
  return { preset: preset.name, rows: [ours, await attack(evaluations), seconds] }
}

const NAMES = ['ours', 'breaching, equal evaluations', 'breaching, equal seconds']

async function main(): Promise<void> {
  const o = options()
  await tf.setBackend('cpu')
  const kind = python('breaching')
  if ('missing' in kind) throw new Error(`${kind.missing}; bench/README.md says how to install it`)
  const images = pictures(o.folder)
  const folder = mkdtempSync(join(tmpdir(), 'dlg-bench-'))
  const peer = start(kind, 1)
  const lines: string[][] = []
  try {
    for (const batch of o.batches) {
      const all: Row[][] = NAMES.map(() => [])
      for (let at = o.skip; at + batch <= Math.min(o.skip + Math.max(o.count, batch), images.length); at += batch) {
        const some = images.slice(at, at + batch)
        const model = NETWORKS[o.network]({ seed: o.seed + at })
        await train(
          model,
          images.filter((image) => !some.includes(image)),
          o.trained,
        )
        const { rows, preset } = await compare(peer, join(folder, 'victim.safetensors'), model, some, o)
        model.dispose()
        for (const [i, row] of rows.entries()) {
          all[i].push(row)
          const { psnr, evaluations, seconds } = row
          const words = [some.map(({ name }) => name.split('.')[0]).join(' '), i === 0 ? `ours (${preset})` : NAMES[i]]
          const numbers = [
            `${psnr.map((v) => v.toFixed(1)).join(' ')} dB`,
            `${evaluations} evaluations`,
            `${short(seconds)} s`,
          ]
          console.log([...words, ...numbers].join('  '))
        }
      }
      for (const [i, rows] of all.entries())
        lines.push([
          `${batch}  ${NAMES[i]}`,
          median(rows.flatMap(({ psnr }) => psnr)).toFixed(1),
          short(median(rows.map(({ evaluations }) => evaluations))),
          short(median(rows.map(({ seconds }) => seconds))),
        ])
    }
  } finally {
    await peer.close()
    rmSync(folder, { recursive: true, force: true })
  }
  const weights = o.trained === 0 ? 'initial weights' : `after ${o.trained} steps of SGD`
  const client = o.steps > 1 ? `, ${o.steps} local steps at ${o.rate}` : ''
  console.log(
    `\n${o.network}, ${weights}${client}, one thread\n${table(['batch, attacker', 'median dB', 'evaluations', 'seconds'], lines)}`,
  )
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
