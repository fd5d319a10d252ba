/**
 * How often the default attack gives a picture back, over CIFAR-10 images as files named CLASS-NUMBER.png or .jpg:
 *
 *   npm run bench:success -- --images DIR [--per-class 2] [--labels infer,joint] [--part 0/1] [--json out/success.json]
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { lenet } from '../examples/models/lenet'
import { deepLeakageFromGradients, gradientsOf, type LeakageStatus } from '../src'
import { readImage, toSquare, writeFileAtomic } from '../src/io'
import { meanSquaredError } from '../src/metrics'
import { short, table } from './table'
import { median } from './timing'

const CLASSES = 100
const SIZE = 32

interface Outcome {
  readonly image: string
  readonly labels: 'infer' | 'joint'
  readonly mse: number
  /** Whether the label was found, and not only a picture. */
  readonly label: boolean
  readonly status: LeakageStatus
  readonly relativeLoss: number
  readonly evaluations: number
  readonly restarts: number
  readonly seconds: number
}

function options() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      'per-class': { type: 'string', default: '2' },
      labels: { type: 'string', default: 'infer,joint' },
      part: { type: 'string', default: '0/1' },
      json: { type: 'string', default: 'out/success.json' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  const perClass = Number(values['per-class'])
  const [part, parts] = values.part.split('/').map(Number)
  const labels = values.labels.split(',')
  if (!Number.isInteger(perClass) || perClass < 1) throw new Error('--per-class needs a whole number above 0')
  if (!(part >= 0 && part < parts)) throw new Error('--part is like 0/2 and 1/2: two processes that share the images')
  if (!labels.every((l) => l === 'infer' || l === 'joint')) throw new Error('--labels knows infer and joint')
  return { folder: values.images, perClass, part, parts, labels: labels as Outcome['labels'][], json: values.json }
}

/** The first images of every class, by the part of the file's name before '-'. */
function chosen(folder: string, perClass: number): string[] {
  const taken = new Map<string, number>()
  return readdirSync(folder)
    .filter((name) => /\.(png|jpe?g)$/i.test(name))
    .sort()
    .filter((name) => {
      const prefix = name.split('-')[0]
      const count = (taken.get(prefix) ?? 0) + 1
      taken.set(prefix, count)
      return count <= perClass
    })
}

/** One image under a network of its own, attacked with default options. */
async function attackOne(file: string, index: number, labels: Outcome['labels']): Promise<Omit<Outcome, 'image'>> {
  const picture = toSquare(readImage(file), SIZE).data
  const label = (index * 37 + 11) % CLASSES
  const model = lenet({ classes: CLASSES, seed: index + 1 })
  const x = tf.tensor(picture, [1, SIZE, SIZE, 3])
  const shared = await gradientsOf(model, x, [label])
  const leak = await deepLeakageFromGradients(model, shared, { labels, seed: index })
  const data = (await leak.data.data()) as Float32Array
  const { status, relativeLoss, evaluations } = leak
  const outcome = {
    ...{ labels, mse: meanSquaredError(data, picture), label: leak.labels[0] === label, status, relativeLoss },
    ...{ evaluations, restarts: leak.trials.length, seconds: leak.milliseconds / 1000 },
  }
  leak.dispose()
  tf.dispose([shared, x])
  model.dispose()
  return outcome
}

function summary(labels: string, outcomes: readonly Outcome[]): string[] {
  const count = (test: (o: Outcome) => boolean): string => `${outcomes.filter(test).length} of ${outcomes.length}`
  return [
    ...[labels, count((o) => o.mse < 1e-3), count((o) => o.mse < 1e-4), count((o) => o.label)],
    ...[count((o) => o.status === 'converged'), median(outcomes.map((o) => o.mse)).toExponential(1)],
    ...[short(median(outcomes.map((o) => o.evaluations))), `${short(median(outcomes.map((o) => o.seconds)))} s`],
  ]
}

async function main(): Promise<void> {
  const { folder, perClass, part, parts, labels, json } = options()
  await tf.setBackend('cpu')
  const images = chosen(folder, perClass)
  if (images.length === 0) throw new Error(`there are no images in ${folder}`)
  const outcomes: Outcome[] = []
  for (const [i, image] of images.entries()) {
    if (i % parts !== part) continue
    for (const strategy of labels) {
      const outcome = { image, ...(await attackOne(join(folder, image), i, strategy)) }
      outcomes.push(outcome)
      const { mse, label, status, evaluations, seconds } = outcome
      const words = [image.padEnd(20), strategy, mse.toExponential(2), label ? 'label' : '–', status]
      console.log([...words, `${evaluations} evaluations`, `${short(seconds)} s`].join('  '))
    }
  }
  const head = ['labels', 'MSE < 1e-3', '< 1e-4', 'label right', 'converged', 'median MSE', 'evaluations', 'time']
  const rows = labels.map((l) =>
    summary(
      l,
      outcomes.filter((o) => o.labels === l),
    ),
  )
  console.log(`\n${table(head, rows)}`)
  mkdirSync(dirname(json), { recursive: true })
  writeFileAtomic(json, new TextEncoder().encode(`${JSON.stringify({ folder, perClass, outcomes }, null, 2)}\n`))
  console.log(`\n${json}`)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
