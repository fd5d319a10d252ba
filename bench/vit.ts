/**
 * A vision transformer (patches of 4, width 64, two blocks), over images as files named CLASS-NUMBER.png or .jpg: one image in closed
 * form, or batches by gradient matching with default options but for
 * inferred labels, which are given where they cannot be. A batch begins at each of `--at`, with other
 * weights each time. The networks of every other batch have a class token, the others read the mean.
 *
 *   npx tsx bench/vit.ts --images DIR [--skip 20] [--count 10] [--trained 0]
 *   npx tsx bench/vit.ts --images DIR --batch 4 [--at 0,4,8] [--trained 0] [--presets auto,robust/balanced] [--iterations N]
 *
 * A preset may have a distance: robust/balanced.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { vit } from '../examples/models/vit'
import { DlgError, deepLeakageFromGradients, gradientsOf, type LeakageOptions } from '../src'
import { attack, targetOf } from '../src/attacks'
import { batchOf, decibels, labelsOf, pictures, train } from './pictures'
import { short, table } from './table'
import { median } from './timing'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      skip: { type: 'string', default: '20' },
      count: { type: 'string', default: '10' },
      trained: { type: 'string', default: '0' },
      batch: { type: 'string', default: '1' },
      at: { type: 'string', default: '0,4,8' },
      presets: { type: 'string', default: 'auto' },
      iterations: { type: 'string' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  if (values.batch !== '1') return batches({ ...values, images: values.images })
  const [skip, count, trained] = [values.skip, values.count, values.trained].map(Number)
  await tf.setBackend('cpu')
  const images = pictures(values.images)
  const rows: string[][] = []
  for (const classToken of [true, false]) {
    const found: { psnr: number; residual: number; seconds: number }[] = []
    for (const [i, image] of images.slice(skip, skip + count).entries()) {
      const model = vit({ classToken, seed: 1 + i })
      await train(
        model,
        images.filter((one) => one !== image),
        trained,
      )
      const x = batchOf([image])
      const shared = await gradientsOf(model, x, labelsOf([image]))
      const target = await targetOf(model, shared)
      const outcome = await attack('patch-inversion', target)
      const { data } = outcome.found
      const [psnr] = data ? decibels(await data.data(), [image]) : [0]
      found.push({ psnr, residual: outcome.evidence.residual ?? Number.NaN, seconds: outcome.work.milliseconds / 1000 })
      console.log(`${image.name}  ${outcome.status}  ${psnr.toFixed(1)} dB  ${outcome.reason}`)
      outcome.dispose()
      tf.dispose([x, shared, model.weights])
    }
    const psnr = found.map((one) => one.psnr)
    rows.push([
      classToken ? 'class token' : 'mean',
      ...[median(psnr), Math.min(...psnr)].map((v) => v.toFixed(1)),
      Math.max(...found.map(({ residual }) => residual)).toExponential(1),
      short(median(found.map(({ seconds }) => seconds))),
    ])
  }
  const weights = trained === 0 ? 'initial weights' : `after ${trained} steps of SGD`
  console.log(`\n${weights}\n${table(['head', 'median dB', 'least dB', 'largest residual', 'seconds'], rows)}`)
}

interface BatchValues {
  readonly images: string
  readonly batch: string
  readonly at: string
  readonly trained: string
  readonly presets: string
  readonly iterations?: string
}

async function batches({ images: folder, batch, at, trained, presets, iterations }: BatchValues): Promise<void> {
  await tf.setBackend('cpu')
  const images = pictures(folder)
  const recipes = presets.split(',')
  const means = recipes.map((): number[] => [])
  for (const [place, first] of at.split(',').map(Number).entries()) {
    const some = images.slice(first, first + Number(batch))
    const model = vit({ classToken: place % 2 === 0, seed: 1 + first })
    await train(
      model,
      images.filter((image) => !some.includes(image)),
      Number(trained),
    )
    const x = batchOf(some)
    const shared = await gradientsOf(model, x, labelsOf(some))
    for (const [i, recipe] of recipes.entries()) {
      const [preset, distance] = recipe.split('/')
      const options = { preset, distance, iterations: iterations && Number(iterations) } as LeakageOptions
      const before = process.cpuUsage()
      const search = (labels: 'infer' | number[]) =>
        deepLeakageFromGradients(model, shared, { labels, batchSize: some.length, ...options })
      let labels = 'inferred'
      const leak = await search('infer').catch((error) => {
        if (!(error instanceof DlgError && error.code === 'labels')) throw error
        labels = 'given'
        return search(labelsOf(some))
      })
      const { user, system } = process.cpuUsage(before)
      const psnr = decibels((await leak.data.data()) as Float32Array, some)
      means[i].push(psnr.reduce((a, b) => a + b) / psnr.length)
      const numbers = [psnr.map((v) => v.toFixed(1)).join(' '), 'dB', leak.relativeLoss.toExponential(1)]
      const work = `${leak.evaluations} evaluations  ${short((user + system) / 1e6)} s of CPU`
      console.log(
        [first, `${recipe} → ${leak.preset.name}`, `labels ${labels}`, leak.status, ...numbers, work].join('  '),
      )
      leak.dispose()
    }
    tf.dispose([x, shared, model.weights])
  }
  const rows = recipes.map((recipe, i) => [
    recipe,
    `${means[i].length}`,
    ...[median(means[i]), Math.min(...means[i])].map((v) => v.toFixed(1)),
  ])
  console.log(
    `\nbatches of ${batch}, means over a batch\n${table(['preset', 'batches', 'median dB', 'least dB'], rows)}`,
  )
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
