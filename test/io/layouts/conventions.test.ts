import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { checkModel } from '../../../src'
import { conventionDifferences } from '../../../src/io/layouts/conventions'
import { numbers } from '../../attacks/matching/tiny'

type Layer = LayersModel['layers'][number]

const differences = (...parts: Layer[]) => {
  const model = sequential()
  for (const part of parts) model.add(part)
  const found = conventionDifferences(model)
  model.dispose()
  return found.map(({ message }) => message)
}

const conv = (size: number, kernelSize: number, strides: number, padding: 'same' | 'valid' = 'same') =>
  layers.conv2d({ inputShape: [size, size, 1], filters: 2, kernelSize, strides, padding })

describe("padding that is not PyTorch's", () => {
  /** Whether tfjs's 'same' is the symmetric padding p of PyTorch, by what both compute of a random image. */
  function isSymmetric(size: number, kernel: number, stride: number): boolean {
    const [x, w] = [
      tf.tensor4d(numbers(size * size, 1), [1, size, size, 1]),
      tf.tensor4d(numbers(kernel * kernel, 2), [kernel, kernel, 1, 1]),
    ]
    const same = tf.conv2d(x, w, stride, 'same')
    let found = false
    for (let p = 0; p <= kernel && !found; p++) {
      const torch = tf.conv2d(
        tf.pad(x, [
          [0, 0],
          [p, p],
          [p, p],
          [0, 0],
        ]) as tf.Tensor4D,
        w,
        stride,
        'valid',
      )
      if (tf.util.arraysEqual(torch.shape, same.shape)) found = tf.max(tf.abs(tf.sub(torch, same))).dataSync()[0] < 1e-5
      torch.dispose()
    }
    tf.dispose([x, w, same])
    return found
  }

  it('is found exactly where no symmetric padding gives the values', () => {
    for (const size of [7, 8, 12])
      for (const kernel of [1, 2, 3, 4, 5])
        for (const stride of [2, 3])
          tf.tidy(() => {
            const found = differences(conv(size, kernel, stride)).length > 0
            expect(found, `${kernel}x${kernel}, stride ${stride}, on ${size}`).toBe(!isSymmetric(size, kernel, stride))
          })
  })

  it('is said with its numbers and a cure, of pools too, and not of other layers', () => {
    expect(differences(conv(12, 5, 2))[0]).toMatch(
      /pads 1 before and 2 after \('same' with stride 2 on 12\).*zeroPadding2d/,
    )
    expect(
      differences(layers.maxPooling2d({ inputShape: [8, 8, 1], poolSize: 3, strides: 2, padding: 'same' })),
    ).toHaveLength(1)
    expect(
      differences(layers.conv1d({ inputShape: [8, 2], filters: 2, kernelSize: 3, strides: 2, padding: 'same' })),
    ).toHaveLength(1)
    expect(differences(conv(12, 5, 2, 'valid'))).toEqual([])
    expect(differences(conv(12, 5, 1))).toEqual([])
    expect(differences(layers.dense({ inputShape: [3], units: 2 }))).toEqual([])
    expect(conventionDifferences({ weights: [] })).toEqual([])
  })
})

it("defaults that are not PyTorch's are found, and the same values are not", () => {
  const shape = { inputShape: [4, 4, 2] }
  expect(differences(layers.batchNormalization(shape))[0]).toMatch(/epsilon 0.001.*1e-5|epsilon 0.001.*0.00001/)
  expect(differences(layers.batchNormalization({ ...shape, epsilon: 1e-5 }))).toEqual([])
  expect(differences(layers.leakyReLU(shape))[0]).toMatch(/slope 0.3.*0.01/)
  expect(differences(layers.leakyReLU({ ...shape, alpha: 0.01 }))).toEqual([])
  expect(differences(layers.lstm({ inputShape: [3, 2], units: 2, recurrentInitializer: 'glorotNormal' }))[0]).toMatch(
    /'hardSigmoid'/,
  )
  expect(
    differences(
      layers.lstm({
        inputShape: [3, 2],
        units: 2,
        recurrentInitializer: 'glorotNormal',
        recurrentActivation: 'sigmoid',
      }),
    ),
  ).toEqual([])
})

it('checkModel notes them in one finding', async () => {
  const model = sequential({ layers: [conv(8, 3, 2), layers.flatten(), layers.dense({ units: 3 })] })
  const x = tf.tensor(numbers(64, 3), [1, 8, 8, 1])
  const { findings } = await checkModel(model, { x, y: [1] }, { runtime: 'reference' })
  const found = findings.filter(({ code }) => code === 'conventions')
  expect(found).toMatchObject([
    {
      level: 'note',
      message: expect.stringMatching(/^if the client trains in PyTorch: 'conv2d_.*pads 0 before and 1 after/),
    },
  ])
  x.dispose()
  model.dispose()
})
