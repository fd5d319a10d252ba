/**
 * One image through a vision transformer (patches of 4, width 64, two blocks) in closed form, over images as files named
 * CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/vit.ts --images DIR [--skip 20] [--count 10] [--trained 0]
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { vit } from '../examples/models/vit'
import { gradientsOf } from '../src'
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
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
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

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
