/**
 * One image through R-GAP's CNN6 at its initial weights, layer by layer, over images as files named CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/r-gap.ts --images DIR [--skip 20] [--count 10] [--kinds leakyReLU-1,sigmoid-10]
 *
 * A kind is an activation and the number of outputs. With one output the label is 0 or 1: whether the class is an odd one.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { type Cnn6Options, cnn6 } from '../examples/models/cnn6'
import { gradientsOf, type TrainingOptions } from '../src'
import { attack, targetOf } from '../src/attacks'
import { batchOf, decibels, pictures } from './pictures'
import { short, table } from './table'
import { median } from './timing'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      skip: { type: 'string', default: '20' },
      count: { type: 'string', default: '10' },
      kinds: { type: 'string', default: 'leakyReLU-1,leakyReLU-10,sigmoid-1,sigmoid-10,tanh-10' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  const [skip, count] = [values.skip, values.count].map(Number)
  await tf.setBackend('cpu')
  const images = pictures(values.images).slice(skip, skip + count)
  const rows: string[][] = []
  for (const kind of values.kinds.split(',')) {
    const [activation, outputs] = [kind.split('-')[0] as Cnn6Options['activation'], Number(kind.split('-')[1])]
    const training: TrainingOptions = outputs === 1 ? { criterion: 'binaryCrossEntropy' } : {}
    const found: { psnr: number; residual: number; status: string; seconds: number }[] = []
    for (const [i, image] of images.entries()) {
      const model = cnn6({ activation, outputs, seed: 1 + i })
      const x = batchOf([image])
      const y = outputs === 1 ? tf.tensor([image.label % 2], [1, 1]) : [image.label]
      const shared = await gradientsOf(model, x, y, training)
      const target = await targetOf(model, shared, training)
      const before = process.cpuUsage()
      const outcome = await attack('r-gap', target)
      const { user, system } = process.cpuUsage(before)
      const { data } = outcome.found
      const [psnr] = data ? decibels(await data.data(), [image]) : [0]
      const { status, reason, evidence } = outcome
      found.push({ psnr, status, residual: evidence.residual ?? Number.NaN, seconds: (user + system) / 1e6 })
      console.log(`${kind}  ${image.name}  ${status}  ${psnr.toFixed(1)} dB  ${reason}`)
      outcome.dispose()
      tf.dispose([x, shared, model.weights.map((w) => w.read()), ...(y instanceof tf.Tensor ? [y] : [])])
    }
    const psnr = found.map((one) => one.psnr)
    const statuses = [...new Set(found.map(({ status }) => status))]
    rows.push([
      kind,
      ...[median(psnr), Math.min(...psnr)].map((v) => v.toFixed(1)),
      Math.max(...found.map(({ residual }) => residual)).toExponential(1),
      short(median(found.map(({ seconds }) => seconds))),
      statuses.map((s) => `${found.filter(({ status }) => status === s).length} ${s}`).join(', '),
    ])
  }
  const head = ['activation, outputs', 'median dB', 'least dB', 'largest residual', 'CPU seconds', 'statuses']
  console.log(`\n${table(head, rows)}`)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
