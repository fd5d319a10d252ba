import { describe, expect, it } from 'vitest'
import { dataImages } from '../../src/measure/certainty/mirrors'

const imagesOf = (point: readonly number[], shape: readonly number[], how: string) =>
  [...dataImages(Float64Array.from(point), [{ start: 0, shape, range: [0, 1] }])]
    .filter((image) => image.how === how)
    .map((image) => [...image.point])

describe('images of data', () => {
  it('are mirrored in zero, in the middle of the range, and along each axis', () => {
    expect(imagesOf([0.25, 0.5, 0.75, 1], [1, 2, 2], 'mirror image')).toEqual([
      [-0.25, -0.5, -0.75, -1],
      [0.75, 0.5, 0.25, 0],
      [0.75, 1, 0.25, 0.5],
      [0.5, 0.25, 1, 0.75],
    ])
  })

  it('have neighbouring blocks in each other’s place', () => {
    const images = imagesOf([0, 1, 2, 3, 4, 5], [1, 6], 'rearrangement')
    expect(images).toContainEqual([1, 0, 3, 2, 5, 4])
    expect(images).toContainEqual([2, 3, 0, 1, 4, 5])
    expect(images).toContainEqual([3, 4, 5, 0, 1, 2])
    expect(images).toContainEqual([0, 2, 1, 4, 3, 5])
    expect(images).toContainEqual([0, 1, 3, 2, 4, 5])
  })

  it('keep every number within its sample, along one axis', () => {
    const point = Array.from({ length: 2 * 16 * 3 }, (_, i) => i)
    for (const image of imagesOf(point, [2, 16, 3], 'rearrangement')) {
      expect([...image].sort((a, b) => a - b)).toEqual(point)
      for (const [i, v] of image.entries()) {
        expect(Math.floor(v / 48)).toBe(Math.floor(i / 48))
        expect(v % 3 === i % 3 || Math.floor(v / 3) === Math.floor(i / 3)).toBe(true)
      }
    }
  })

  it('are few, however large the data are', () => {
    let count = 0
    for (const _ of dataImages(new Float64Array(224 * 224 * 3), [{ start: 0, shape: [1, 224, 224, 3], range: [0, 1] }]))
      count++
    expect(count).toBeLessThan(35)
  })
})
