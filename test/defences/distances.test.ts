import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Distance } from '../../src'
import { clipping, pruning, signs } from '../../src/defences'
import { cosineOfEach, hingeOfSigns, keptDistance } from '../../src/defences/attacker'
import { random } from '../../src/numbers/random'
import { tensor, valueAndGradients } from '../attacks/matching/objective/evaluate'

/** Numbers that are neither 0 nor near each other in size. */
const vector = fc
  .array(fc.double({ min: 0.1, max: 9, noNaN: true }), { minLength: 7, maxLength: 7 })
  .chain((sizes) =>
    fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }).map((up) => sizes.map((v, i) => (up[i] ? v : -v))),
  )

const split = (v: ArrayLike<number>) => [Array.from(v).slice(0, 3), Array.from(v).slice(3)]

/** The distance of two lists of tensors, [3] and [2, 2], and its derivatives by the first. */
async function measure(distance: Distance, found: ArrayLike<number>, shared: ArrayLike<number>) {
  const tensors = [...split(found), ...split(shared)].map((v) => tensor(v.length === 3 ? [3] : [2, 2], ...v))
  const { value, gradients } = await valueAndGradients((a, b, c, d) => distance.measure([a, b], [c, d]), ...tensors)
  return { value, gradient: gradients.slice(0, 2).flat() }
}

const sharedBy = (defence: ReturnType<typeof signs>, v: readonly number[]) =>
  defence
    .apply(
      split(v).map((part) => Float64Array.from(part)),
      random(1),
      ['a', 'b'],
    )
    .flatMap((values) => [...values])

const cases = [
  ['kept of each tensor', keptDistance('tensor'), pruning({ part: 0.6 })],
  ['kept of all', keptDistance('all'), pruning({ part: 0.6, per: 'all' })],
  ['cosine of each', cosineOfEach, clipping({ norm: 0.05, per: 'tensor' })],
  ['signs', hingeOfSigns, signs()],
] as const

describe('the distance of an attacker who knows', () => {
  it.each(cases)(
    '%s: is 0 at the truth, above 0 at its opposite, and has its derivatives',
    async (_, distance, defence) => {
      await fc.assert(
        fc.asyncProperty(vector, vector, async (truth, other) => {
          const shared = sharedBy(defence, truth)
          expect((await measure(distance, truth, shared)).value).toBeLessThan(1e-20)
          expect(
            (
              await measure(
                distance,
                truth.map((v) => -v),
                shared,
              )
            ).value,
          ).toBeGreaterThan(1e-6)
          const { value, gradient } = await measure(distance, other, shared)
          expect(value).toBeGreaterThanOrEqual(0)
          for (const k of [0, 5]) {
            const at = (step: number) => measure(distance, other.with(k, other[k] + step), shared)
            const slope = ((await at(1e-6)).value - (await at(-1e-6)).value) / 2e-6
            expect(Math.abs(slope - gradient[k])).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope)))
          }
        }),
        { numRuns: 8 },
      )
    },
  )

  it('does not count a dropped number below the smallest that was kept, and counts the rest of a larger one', async () => {
    const shared = [5, 0, 0, 3, 0, -2, 0]
    const at = async (...found: number[]) => (await measure(keptDistance('tensor'), found, shared)).value
    expect(await at(5, 4.9, -4.9, 3, 1.9, -2, -1.9)).toBe(0)
    expect(await at(5, 6, 0, 3, 0, -2, 0)).toBeCloseTo(1, 12)
    expect(await at(5, 0, 0, 3, -4, -1, 0)).toBeCloseTo(4 + 1, 12)
    const ofAll = async (...found: number[]) => (await measure(keptDistance('all'), found, shared)).value
    expect(await ofAll(5, 4, 0, 3, 0, -2, 0)).toBeCloseTo(4, 12)
    // nothing was kept of the first tensor: its numbers are 0 where each tensor keeps its largest, small where all compete
    const none = [0, 0, 0, 3, 0, -2, 0]
    expect((await measure(keptDistance('tensor'), [1, 0, 0, 3, 0, -2, 0], none)).value).toBeCloseTo(1, 12)
    expect((await measure(keptDistance('all'), [1, 0, 0, 3, 0, -2, 0], none)).value).toBe(0)
  })

  it('does not see the length of each tensor under clipping, nor under signs', async () => {
    const found = [1, 2, 3, 4, -5, 6, -7]
    const scaled = found.map((v, i) => v * (i < 3 ? 10 : 0.1))
    for (const [, distance, defence] of cases.slice(2)) {
      const shared = sharedBy(defence, [1, -2, 3, 4, 5, 6, 7])
      const [a, b] = [await measure(distance, found, shared), await measure(distance, scaled, shared)]
      expect(a.value).toBeGreaterThan(1e-4)
      expect(b.value / a.value).toBeCloseTo(1, 10)
    }
  })
})
