import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, undoPreprocessing } from '../../src'
import { leakageOptions } from '../../src/attacks/matching/options'
import { preprocessed, preprocessingOption } from '../../src/client/preprocessing'
import { psnr } from '../../src/metrics'
import { convNet, sample } from '../attacks/matching/tiny'

const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }

describe('preprocessing', () => {
  it('is undone exactly, for any mean, deviation and number of channels', () => {
    const list = (min: number, max: number) =>
      fc.array(fc.float({ min, max, noNaN: true }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(
        list(-2, 2),
        list(Math.fround(0.01), 4),
        fc.array(list(0, 1), { minLength: 1, maxLength: 9 }),
        (mean, std, pixels) => {
          const values = pixels.flat()
          const back = undoPreprocessing(preprocessed(values, preprocessingOption({ mean, std })), { mean, std })
          for (const [i, v] of values.entries()) expect(back[i]).toBeCloseTo(v, 4)
        },
      ),
    )
  })

  it('gives the search the range that the model sees: the widest of the channels', () => {
    const { dataRange } = leakageOptions({ preprocessing: imageNet })
    expect(dataRange[0]).toBeCloseTo(-0.485 / 0.229, 6)
    expect(dataRange[1]).toBeCloseTo((1 - 0.406) / 0.225, 6)
    expect(leakageOptions({ preprocessing: { mean: 127.5, std: 127.5, range: [0, 255] } }).dataRange).toEqual([-1, 1])
    expect(leakageOptions({ preprocessing: {} }).dataRange).toEqual([0, 1])
  })

  it('recovers a normalised picture, whose error is that of what one sees', async () => {
    const model = convNet()
    const preprocessing = { mean: 0.4, std: 0.25 }
    const picture = sample([1, 6, 6, 1])
    const x = tf.div(tf.sub(picture, 0.4), 0.25)
    const shared = await gradientsOf(model, x, [2])
    const leak = await deepLeakage(model, shared, { preprocessing, labels: 'infer' })
    const seen = undoPreprocessing(leak.data.dataSync<'float32'>(), preprocessing)
    expect(leak.status).toBe('converged')
    expect(psnr(picture.dataSync<'float32'>(), seen)).toBeGreaterThan(50)
    leak.dispose()
    tf.dispose([picture, x, shared])
    model.dispose()
  })

  it.each<[object, string]>([
    [{ std: 0 }, 'preprocessing.std is 0; it must be a number above 0'],
    [{ std: [1, -1] }, 'it must be a number above 0'],
    [{ mean: [] }, 'preprocessing.mean is'],
    [{ mean: ['0.5'] }, 'it must be a finite number'],
    [{ mean: [0, 0, 0], std: [1, 1] }, 'preprocessing has 3 means and 2 standard deviations; they must be as many'],
    [{ range: [1, 0] }, 'it must be [low, high] with low < high'],
    [{ range: [0, Infinity] }, 'preprocessing.range is'],
    [{ scale: 1 }, "there is no 'scale' in preprocessing"],
  ])('refuses %j', (preprocessing, message) => {
    expect(() => leakageOptions({ preprocessing } as never)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    )
  })

  it('refuses two ranges, and channels that the data do not have', async () => {
    expect(() => leakageOptions({ preprocessing: {}, dataRange: [0, 1] })).toThrow(
      'preprocessing.range must say it instead',
    )
    const model = convNet()
    const x = sample([1, 6, 6, 1])
    const shared = await gradientsOf(model, x, [2])
    await expect(deepLeakage(model, shared, { preprocessing: imageNet })).rejects.toThrow(
      "preprocessing is of 3 channels; input '",
    )
    expect(() => undoPreprocessing([1, 2], imageNet)).toThrow('no whole number of pixels of 3 channels')
    tf.dispose([x, shared])
    model.dispose()
  })
})
