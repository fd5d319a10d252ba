import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { describe, expect, it } from 'vitest'
import { attack, attacks, type Target, type TargetOptions, targetOf } from '../../../src/attacks'
import { traceOfOne } from '../../../src/attacks/dense/first-dense'
import { type Chain, chainOf } from '../../../src/attacks/r-gap/chain'
import { endsOf } from '../../../src/attacks/r-gap/ends'
import { openWords, rankOf } from '../../../src/attacks/r-gap/ranks'
import { recurse } from '../../../src/attacks/r-gap/recursion'
import { checkModel, type FunctionalModel, gradientsOf, type Model, type TrainingOptions } from '../../../src/index'
import { atOnce } from '../../../src/numbers/steps'
import { uniform } from '../../oracle'
import { ownership } from '../../tensors'
import { plain, sample, withUniformWeights } from '../matching/tiny'

const own = ownership()
const runtime = 'reference'

interface Kind {
  activation?: 'sigmoid' | 'tanh' | 'elu' | 'softplus' | 'linear' | 'relu' | 'hardSigmoid' | 'swish'
  leaky?: boolean
  bias?: boolean
  /** Outputs of the last layer. */
  units?: number
  filters?: number
  /** A dense layer of so many units between convolutions and last layer. */
  dense?: number
  pool?: 'max' | 'average'
}

/** Two convolutions with strides and padding over 6×6×2 images, and dense layers. */
function network({ activation = 'tanh', leaky, bias = true, units = 4, filters = 9, dense, pool }: Kind): Sequential {
  const model = sequential()
  const act = () => model.add(leaky ? layers.leakyReLU({ alpha: 0.2 }) : layers.activation({ activation }))
  const common = { useBias: bias }
  model.add(layers.zeroPadding2d({ inputShape: [6, 6, 2], padding: 1 }))
  model.add(layers.conv2d({ filters, kernelSize: 3, strides: 2, ...common }))
  act()
  model.add(layers.conv2d({ filters: 6, kernelSize: 3, padding: 'same', ...common }))
  act()
  if (pool === 'max') model.add(layers.maxPooling2d({ poolSize: 2 }))
  if (pool === 'average') model.add(layers.averagePooling2d({ poolSize: 2 }))
  model.add(layers.flatten())
  if (dense !== undefined) {
    model.add(layers.dense({ units: dense, ...common }))
    act()
  }
  model.add(layers.dense({ units, ...common }))
  return own(withUniformWeights(model))
}

const picture = (batch = 1): tf.Tensor => own(sample([batch, 6, 6, 2]))

async function target(
  model: Model,
  x: tf.Tensor,
  y: Parameters<typeof gradientsOf>[2],
  training: TrainingOptions = {},
  told: TargetOptions = {},
): Promise<Target> {
  const shared = plain(await gradientsOf(model, x, y, { runtime, ...training }))
  return targetOf(model, shared, { runtime, ...training, ...told })
}

async function chain({ model, settings, weights }: Target): Promise<Chain> {
  const traced = traceOfOne(model, settings)
  const found = await chainOf(traced, new Map([...traced.captured, ...weights]))
  if (typeof found === 'string') throw new Error(found)
  return found
}

/** The recursion alone, from every end that the last layer may have. */
async function recursions(of: Target) {
  const links = await chain(of)
  const ends = await endsOf(links, of.dataGradients, undefined)
  if (typeof ends === 'string') throw new Error(ends)
  const found = []
  for (const end of ends) {
    const one = await recurse(links, end, of.dataGradients, async () => false)
    if (one) found.push({ ...one, end })
  }
  return found
}

const worst = (found: ArrayLike<number> | undefined, x: tf.Tensor): number =>
  Math.max(...Array.from(x.dataSync(), (v, i) => Math.abs(v - (found?.[i] ?? Number.NaN))))

describe('an image layer by layer', () => {
  it.each<[string, Kind]>([
    ['tanh', {}],
    ['sigmoid, without a bias', { activation: 'sigmoid', bias: false }],
    ['ELU', { activation: 'elu' }],
    ['softplus', { activation: 'softplus' }],
    ['linear', { activation: 'linear', bias: false }],
    ['leaky ReLU', { leaky: true }],
    ['a dense layer in between', { dense: 9 }],
  ])('%s: every pixel and the label come back', async (_, kind) => {
    const x = picture()
    const [found, ...others] = await recursions(await target(network(kind), x, [2]))
    expect(others).toHaveLength(0)
    expect(worst(found.data, x)).toBeLessThan(1e-4)
    expect(found.end.labels).toEqual([2])
  })

  it('the attack proves it, and tells how far it is', async () => {
    const x = picture()
    const of = await target(network({}), x, [1])
    const parts: number[] = []
    const outcome = own(await attack('r-gap', of, {}, { onProgress: ({ part }) => parts.push(part!) }))
    expect(outcome).toMatchObject({ status: 'proven', found: { labels: [1] } })
    expect(worst(outcome.found.data?.dataSync(), x)).toBeLessThan(1e-4)
    expect(outcome.evidence.residual).toBeLessThan(1e-5)
    expect(parts).toEqual([0, 1 / 3, 2 / 3])
  })

  it('refuses a class that the model does not have', async () => {
    const of = await target(network({}), picture(), [1])
    await expect(attack('r-gap', of, { labels: [77] })).rejects.toMatchObject({
      ...{ code: 'invalid-data', message: expect.stringMatching(/label 77 is not a class index/) },
    })
  })

  it('targets of a regression', async () => {
    const x = picture()
    const y = own(tf.tensor([[0.3, -1.2, 2, 0.1]]))
    const of = await target(network({}), x, y, { criterion: 'meanSquaredError' })
    const [found] = await recursions(of)
    expect(worst(found.data, x)).toBeLessThan(1e-4)
    expect('values' in found.end.targets && worst(found.end.targets.values, y)).toBeLessThan(1e-4)
    expect(own(await attack('r-gap', of)).status).toBe('proven')
  })

  it('without a bias, one output and leaky ReLU, a picture of another brightness has the same gradient', async () => {
    const x = picture()
    const training: TrainingOptions = { criterion: 'binaryCrossEntropy' }
    const model = network({ leaky: true, bias: false, units: 1 })
    const of = await target(model, x, own(tf.tensor([[1]])), training)
    const found = await recursions(of)
    const right = found.find(({ data }) => worst(data, x) < 1e-4)!
    const [twin] = found.filter((one) => one !== right)
    // oracle: the gradient of the twin, by the front door
    const image = own(tf.tensor(Float32Array.from(twin.data), [1, 6, 6, 2]))
    const again = await targetOf(model, plain(await gradientsOf(model, image, own(tf.tensor([[1]])), { runtime, ...training })), { runtime, ...training }) // biome-ignore format: one line
    const off = again.gradients.flatMap((values, i) => Array.from(values, (v, k) => v - of.gradients[i][k]))
    expect(Math.hypot(...off)).toBeLessThan(1e-4 * Math.hypot(...of.gradients.flatMap((values) => [...values])))
    expect(worst(twin.data, x)).toBeGreaterThan(0.5)
    const outcome = own(await attack('r-gap', of))
    expect(outcome.status).toBe('undetermined')
    expect(outcome.reason).toMatch(/and so are other data: without a bias/)
  })
})

describe('where it does not apply or does not succeed', () => {
  const average = { batchSize: 2 }
  it.each<[string, Kind, RegExp, TargetOptions?]>([
    ['ReLU', { activation: 'relu' }, /not strictly monotone \(ReLU\)/],
    ['a hard sigmoid', { activation: 'hardSigmoid' }, /not strictly monotone/],
    ['swish', { activation: 'swish' }, /not strictly monotone/],
    ['max-pooling', { pool: 'max' }, /numbers are mixed/],
    ['average pooling', { pool: 'average' }, /average pooling/],
    ['a batch', {}, /batch has 2 samples/, average],
    ['a factor that is not known', {}, /factor/, { scale: 'auto' }],
    ['much noise', {}, /known up to/, { noise: 1 }],
  ])('%s: refused with the reason', async (_, kind, reason, told = {}) => {
    const of = await target(network(kind), picture(told.batchSize), told.batchSize ? [1, 2] : [1], {}, told)
    expect(await attacks['r-gap'].refuses(of, {})).toMatch(reason)
  })

  it('a skip connection, local steps, and a gradient that is missing', async () => {
    const input = tf.tidy(() => sample([1, 6, 6, 2]))
    own(input)
    const weights = { a: own(sample([3, 3, 2, 2], 1)), b: own(sample([72, 3], 2)) }
    const model: FunctionalModel = {
      inputShape: [6, 6, 2],
      weights,
      apply: (x, w) =>
        tf.matMul(tf.reshape(tf.add(tf.tanh(tf.conv2d(x as tf.Tensor4D, w.a as tf.Tensor4D, 1, 'same')), x), [-1, 72]), w.b as tf.Tensor2D), // biome-ignore format: one line
    }
    const { refuses } = attacks['r-gap']
    expect(await refuses(await target(model, input, [1]), {})).toMatch(/no chain/)
    const chained = network({})
    const shared = plain(await gradientsOf(chained, input, [1], { runtime }))
    const steps = await targetOf(chained, { delta: shared }, { runtime, update: { learningRate: 0.1, localSteps: 2 } })
    expect(await refuses(steps, {})).toMatch(/2 local steps/)
    const [first, ...others] = Object.keys(shared)
    const kept = Object.fromEntries(others.map((name) => [name, shared[name]]))
    const missing = await targetOf(chained, kept, { runtime, missing: 'allowed' })
    expect(await refuses(missing, {})).toContain(`'${first}' were not shared`)
  })

  it('two samples told as one, and a first layer that reads too little', async () => {
    const model = network({})
    const both = plain(await gradientsOf(model, picture(2), [1, 2], { runtime }))
    const mixed = own(await attack('r-gap', await targetOf(model, both, { runtime })))
    expect(mixed.status).toBe('failed')
    const narrow = own(await attack('r-gap', await target(network({ filters: 2 }), picture(), [1])))
    expect(['failed', 'partial', 'undetermined']).toContain(narrow.status)
    expect(narrow.reason).toMatch(/equations of '.*' leave \d+ of the 72 numbers open/)
  })

  it('two samples of a linear regression told as one are not proven: one target stands for any two', async () => {
    for (const seed of [1, 2]) {
      const model = sequential()
      model.add(layers.dense({ inputShape: [4], units: 6 }))
      model.add(layers.dense({ units: 1 }))
      own(withUniformWeights(model))
      const training: TrainingOptions = { criterion: 'meanSquaredError' }
      const [x, y] = [own(sample([2, 4], seed)), own(tf.tensor([[0.3], [0.8]]))]
      const both = plain(await gradientsOf(model, x, y, { runtime, ...training }))
      const outcome = own(await attack('r-gap', await targetOf(model, both, { runtime, ...training })))
      expect(outcome.status).toBe('undetermined')
      expect(outcome.evidence.residual).toBeLessThan(1e-4)
    }
  })

  it('an abort ends it with the word for it', async () => {
    const abort = new AbortController()
    const of = await target(network({}), picture(), [1])
    const control = { signal: abort.signal, onProgress: () => abort.abort() }
    expect(own(await attack('r-gap', of, {}, control)).status).toBe('cut')
  })
})

describe('rank analysis', () => {
  /** All equations of a layer as one matrix A, and the eigenvalues of AᵀA. */
  function rankOfWhole({ links }: Chain, at: number, weights: Float64Array, felt: Float64Array): number {
    const { patches, numbers, width, source, unknowns } = links[at]
    const rows = Matrix.zeros(patches * width + numbers * width, unknowns)
    for (let t = 0; t < patches; t++)
      for (let j = 0; j < numbers; j++)
        for (let o = 0; o < width; o++) {
          const x = source[t * numbers + j]
          if (x < 0) continue
          rows.set(t * width + o, x, weights[j * width + o])
          rows.set(patches * width + j * width + o, x, felt[t * width + o])
        }
    const { realEigenvalues: squares } = new EigenvalueDecomposition(rows.transpose().mmul(rows), {
      assumeSymmetric: true,
    })
    return squares.filter((v) => v > 1e-12 * Math.max(...squares)).length
  }

  it.each([
    ['enough filters', 9],
    ['few filters', 4],
    ['two filters', 2],
    ['one filter', 1],
  ])('%s: unknowns less the rank of the whole system', async (_, filters) => {
    const { links } = await chain(await target(network({ filters }), picture(), [1]))
    for (const [i, link] of links.slice(0, 2).entries()) {
      const weights = Float64Array.from(uniform(link.numbers * link.width, -1, 1, 3 + i))
      const felt = Float64Array.from(uniform(link.patches * link.width, -1, 1, 5 + i))
      const found = atOnce(rankOf('layer', { link, weights, felt }))
      expect(found.exact).toBe(true)
      expect(found.open).toBe(link.unknowns - rankOfWhole({ links } as Chain, i, weights, felt))
    }
  })

  it('checkModel says what is open, and names the attack', async () => {
    const said = async (kind: Kind) =>
      (await checkModel(network(kind), { x: picture(), y: [1] }, { runtime })).findings.find(
        ({ code }) => code === 'layer-ranks',
      )
    expect(await said({})).toMatchObject({ attack: 'r-gap', message: expect.stringContaining('leaves nothing open') })
    const narrow = await said({ filters: 2 })
    expect(narrow?.message).toMatch(/leave \d+ of the 72 numbers open/)
  })

  it('nothing is said of a layer that leaves nothing open', () => {
    expect(openWords({ name: 'a', unknowns: 3, equations: 4, open: 0, exact: true })).toBeUndefined()
  })
})
