import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  clipping,
  composed,
  type Defence,
  dpSgd,
  gaussianNoise,
  laplaceNoise,
  pruning,
  quantised,
  signs,
  topK,
  utilityOf,
  withheld,
} from '../../src/defences'
import { normOf } from '../../src/numbers/norms'
import { random } from '../../src/numbers/random'
import type { Values } from '../../src/numbers/values'

const names = ['a', 'b']
const apply = (defence: Defence, gradients: readonly Values[], seed = 1) =>
  defence.apply(gradients, random(seed), names.slice(0, gradients.length))

/** Two tensors of numbers of very different sizes. */
const tensors = fc.tuple(
  fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 30 }),
  fc.array(fc.double({ min: -1e-3, max: 1e-3, noNaN: true }), { minLength: 1, maxLength: 30 }),
)
const read = ([a, b]: readonly (readonly number[])[]): Float64Array[] => [Float64Array.from(a), Float64Array.from(b)]

const all: readonly Defence[] = [
  gaussianNoise({ std: 0.1 }),
  gaussianNoise({ relative: 0.1 }),
  laplaceNoise({ std: 0.1 }),
  clipping({ norm: 0.5 }),
  clipping({ norm: 0.5, per: 'tensor' }),
  dpSgd({ clip: 1, noiseMultiplier: 1 }),
  pruning({ part: 0.5 }),
  pruning({ part: 0.5, per: 'all' }),
  topK({ part: 0.1 }),
  quantised('float16'),
  quantised('bfloat16', { rounding: 'stochastic' }),
  quantised('int8'),
  signs(),
  withheld(['a']),
  composed(clipping({ norm: 1 }), quantised('float16'), gaussianNoise({ std: 0.1 })),
]

describe('every defence', () => {
  it.each(all.map((defence) => [defence.description, defence] as const))('%s', (description, defence) => {
    expect(description.length).toBeGreaterThan(10)
    expect(defence.name).toMatch(/^[a-z0-9+-]+$/)
    fc.assert(
      fc.property(tensors, fc.nat(), (given, seed) => {
        const gradients = read(given)
        const shared = apply(defence, gradients, seed)
        // leaves what it was given, gives the same for the same seed, and shares numbers of its own
        expect(gradients).toEqual(read(given))
        expect(apply(defence, gradients, seed)).toEqual(shared)
        expect(shared.map(({ length }) => length)).toEqual(gradients.map(({ length }) => length))
        for (const [i, values] of shared.entries()) {
          expect(values.buffer).not.toBe(gradients[i].buffer)
          expect(values.every(Number.isFinite)).toBe(true)
        }
      }),
      { numRuns: 10 },
    )
  })
})

describe('noise', () => {
  const many = [new Float64Array(20_000).fill(2), new Float64Array(20_000).fill(-0.01)]
  const moments = (defence: Defence) =>
    apply(defence, many).map((values, t) => {
      const off = Float64Array.from(values, (v) => v - many[t][0])
      const mean = off.reduce((a, b) => a + b, 0) / off.length
      const std = Math.sqrt(off.reduce((a, b) => a + b * b, 0) / off.length)
      const fourth = off.reduce((a, b) => a + b ** 4, 0) / off.length / std ** 4
      return { mean, std, fourth }
    })

  it.each([
    [gaussianNoise({ std: 0.3 }), [0.3, 0.3], 3],
    [gaussianNoise({ relative: 0.1 }), [0.2, 0.001], 3],
    [laplaceNoise({ std: 0.3 }), [0.3, 0.3], 6],
    [laplaceNoise({ relative: 0.1 }), [0.2, 0.001], 6],
    [dpSgd({ clip: 400, noiseMultiplier: 1e-3 }), [0.4, 0.4], 3],
  ] as [Defence, number[], number][])(
    'has the mean, deviation and kurtosis that it states: %s',
    (defence, std, kurtosis) => {
      for (const [t, measured] of moments(defence).entries()) {
        expect(Math.abs(measured.mean)).toBeLessThan(4 * (std[t] / Math.sqrt(20_000)))
        expect(measured.std / std[t]).toBeCloseTo(1, 1)
        expect(measured.fourth / kurtosis).toBeCloseTo(1, 0)
        expect(Math.abs(measured.std / std[t] - 1)).toBeLessThan(0.03)
      }
    },
  )
})

describe('clipping', () => {
  it('leaves the norm at most C and the direction as it was', () => {
    fc.assert(
      fc.property(tensors, fc.double({ min: 1e-3, max: 10, noNaN: true }), (given, norm) => {
        const gradients = read(given)
        const length = normOf(gradients)
        fc.pre(length > 0)
        const shared = apply(clipping({ norm }), gradients)
        expect(normOf(shared)).toBeCloseTo(Math.min(norm, length), 10)
        expect(utilityOf(gradients, shared).cosine).toBeCloseTo(1, 10)
        if (length <= norm) expect(shared).toEqual(gradients)
        for (const [i, values] of apply(clipping({ norm, per: 'tensor' }), gradients).entries())
          expect(normOf([values])).toBeCloseTo(Math.min(norm, normOf([gradients[i]])), 10)
      }),
    )
  })

  it('of each example bounds what one example changes, whatever it is', () => {
    const draws = random(4)
    const one = () => [Float64Array.from({ length: 6 }, () => 10 * draws.normal()), Float64Array.of(draws.normal())]
    const mean = (some: Float64Array[][]) =>
      some[0].map((values, i) => values.map((_, k) => some.reduce((sum, e) => sum + e[i][k], 0) / some.length))
    const others = [one(), one()]
    const shared = (last: Float64Array[]) => {
      const examples = [...others, last]
      return apply(dpSgd({ clip: 0.5, noiseMultiplier: 0.1, examples }), mean(examples))
    }
    // the noise is the same with the same seed
    const [a, b] = [shared(one()), shared(one())]
    const off = a.map((values, i) => values.map((v, k) => v - b[i][k]))
    expect(normOf(off)).toBeGreaterThan(0.01)
    expect(normOf(off)).toBeLessThanOrEqual((2 * 0.5) / 3 + 1e-12)
  })

  it('of examples refuses those that are not of the gradient', () => {
    const [g, h] = [[Float64Array.of(1, 2)], [Float64Array.of(3, 5)]]
    const of = (examples: Float64Array[][]) => dpSgd({ clip: 1, noiseMultiplier: 1, examples })
    expect(() => apply(of([g, h]), [Float64Array.of(2, 3.5)])).not.toThrow()
    expect(() => apply(of([g, h]), [Float64Array.of(2, 4)])).toThrow(/mean of the examples is not the gradient/)
    expect(() => apply(of([g, [Float64Array.of(1)]]), g)).toThrow(/example 1 has other shapes/)
    expect(() => of([])).toThrow(/examples is \[\]; it must be a list/)
  })

  it('of examples says what it spends', () => {
    const defence = dpSgd({ clip: 1, noiseMultiplier: 1.5, sampleRate: 0.04 })
    const spent = defence.spends({ steps: 2250, delta: 1e-5, accountant: 'rdp' })
    expect(spent.epsilon).toBeCloseTo(7.32911117143, 6)
    expect(() => defence.spends({ steps: 0, delta: 1e-5 })).toThrow(/steps is 0/)
  })
})

describe('what is dropped', () => {
  it('is the smallest numbers, and as many as stated', () => {
    fc.assert(
      fc.property(tensors, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (given, part) => {
        const gradients = read(given)
        for (const per of ['tensor', 'all'] as const) {
          const shared = apply(topK({ part, per }), gradients)
          expect(apply(pruning({ part: 1 - part, per }), gradients)).toEqual(shared)
          const groups = per === 'all' ? [[0, 1]] : [[0], [1]]
          for (const group of groups) {
            const [raw, kept] = [gradients, shared].map((list) => group.flatMap((i) => [...list[i]]))
            const count = Math.max(1, Math.round(part * raw.length))
            const bySize = [...raw].sort((a, b) => Math.abs(b) - Math.abs(a))
            expect(kept.filter((v) => v !== 0).length).toBe(bySize.slice(0, count).filter((v) => v !== 0).length)
            expect(kept.every((v, k) => v === 0 || v === raw[k])).toBe(true)
            const least = Math.min(...kept.filter((v) => v !== 0).map(Math.abs))
            expect(raw.every((v, k) => kept[k] !== 0 || Math.abs(v) <= least)).toBe(true)
          }
        }
      }),
    )
  })

  it('is exact where numbers are equal', () => {
    expect([...apply(topK({ part: 0.5 }), [Float64Array.of(1, -1, 1, 1, 0, 0)])[0]]).toEqual([1, -1, 1, 0, 0, 0])
    expect([...apply(withheld(['b']), [Float64Array.of(1), Float64Array.of(2)])[1]]).toEqual([0])
  })
})

describe('rounding', () => {
  /** Every number of float16, from its bits. */
  const halves = Array.from({ length: 0x7c00 }, (_, bits) => {
    const [exponent, fraction] = [bits >> 10, bits & 0x3ff]
    return exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15)
  })

  it('to float16 takes the nearest of all of its numbers, the even one of two', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 65_504, noNaN: true }), fc.nat(0x7bfe), (v, k) => {
        for (const value of [v, halves[k], (halves[k] + halves[k + 1]) / 2]) {
          let [low, high] = [0, halves.length - 1]
          while (high - low > 1) {
            const middle = (low + high) >> 1
            if (halves[middle] <= value) low = middle
            else high = middle
          }
          const [below, above] = [value - halves[low], halves[high] - value]
          const right = below < above || (below === above && low % 2 === 0) ? low : high
          // −0 is 0
          const [shared] = apply(quantised('float16'), [Float64Array.of(value, -value)])
          expect([...shared].map((v) => v + 0)).toEqual([halves[right], 0 - halves[right]])
        }
      }),
    )
    expect([...apply(quantised('float16'), [Float64Array.of(1e6, -1e6, 0)])[0]]).toEqual([65_504, -65_504, 0])
  })

  it('to bfloat16 is float32 with the last 16 bits rounded away', () => {
    const bits = new DataView(new ArrayBuffer(4))
    fc.assert(
      fc.property(fc.float({ min: -(2 ** 100), max: 2 ** 100, noNaN: true }), (v) => {
        bits.setFloat32(0, v)
        const word = bits.getUint32(0)
        bits.setUint32(0, ((word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000) >>> 0)
        expect(apply(quantised('bfloat16'), [Float64Array.of(v)])[0][0] + 0).toBe(bits.getFloat32(0) + 0)
      }),
    )
  })

  it('to int8 has 255 steps, and twice is once', () => {
    fc.assert(
      fc.property(tensors, (given) => {
        const gradients = read(given)
        const shared = apply(quantised('int8'), gradients)
        for (const [i, values] of shared.entries()) {
          const step = Math.max(...gradients[i].map(Math.abs)) / 127
          for (const [k, v] of values.entries()) {
            expect(Math.abs(v - gradients[i][k])).toBeLessThanOrEqual(step / 2 + 1e-15)
            if (step > 1e-300) expect(Math.abs(v / step - Math.round(v / step))).toBeLessThan(1e-6)
          }
        }
        const again = apply(quantised('int8'), shared)
        for (const [i, values] of again.entries())
          for (const [k, v] of values.entries()) expect(v).toBeCloseTo(shared[i][k], 12)
      }),
    )
  })

  it.each(['float16', 'bfloat16', 'int8'] as const)('to %s at random is right on average', (type) => {
    const value = 1 + 2 ** -12 + 2 ** -9
    // the first number sets the scale of int8
    const gradient = [Float64Array.from({ length: 20_001 }, (_, i) => (i === 0 ? 1.9 : value))]
    const shared = apply(quantised(type, { rounding: 'stochastic' }), gradient)[0].slice(1)
    const found = new Set(shared)
    expect(found.size).toBe(2)
    const step = Math.max(...found) - Math.min(...found)
    expect(Math.min(...found)).toBeLessThan(value)
    expect(Math.abs(Array.from(shared).reduce((a, b) => a + b, 0) / 20_000 - value)).toBeLessThan(0.02 * step)
  })
})

describe('utility', () => {
  it('is the cosine and the error of each tensor', () => {
    const raw = [Float64Array.of(3, 0), Float64Array.of(4)]
    expect(utilityOf(raw, raw)).toEqual({ cosine: 1, relativeErrors: [0, 0] })
    const { cosine, relativeErrors } = utilityOf(raw, [Float64Array.of(3, 3), Float64Array.of(0)])
    expect(cosine).toBeCloseTo(9 / (5 * Math.sqrt(18)), 12)
    expect(relativeErrors).toEqual([1, 1])
    expect(utilityOf(raw, [new Float64Array(2), new Float64Array(1)]).cosine).toBe(0)
    expect(() => utilityOf(raw, [raw[0]])).toThrow(/2 raw gradients and 1 shared/)
    expect(() => utilityOf(raw, [raw[1], raw[1]])).toThrow(/gradient 0 has 2 numbers and 1/)
    expect(() => utilityOf([Float64Array.of(Number.NaN)], raw)).toThrow(/NaN at position 0/)
  })
})

describe('parameters', () => {
  it.each([
    [() => gaussianNoise({} as never), /std undefined and relative undefined; it must have one/],
    [() => gaussianNoise({ std: 1, relative: 1 } as never), /it must have one/],
    [() => gaussianNoise({ std: -1 }), /std is -1; it must be/],
    [() => laplaceNoise({ relative: Number.NaN }), /relative is NaN/],
    [() => laplaceNoise({ scale: 1 } as never), /there is no 'scale'/],
    [() => clipping({ norm: 0 }), /norm is 0/],
    [() => clipping({ norm: 1, per: 'layer' as never }), /per is 'layer'; it must be 'all' or 'tensor'/],
    [() => dpSgd({ clip: 1, noiseMultiplier: 0 }), /noiseMultiplier is 0/],
    [() => dpSgd({ clip: 1, noiseMultiplier: 1, sampleRate: 2 }), /sampleRate is 2/],
    [() => pruning({ part: 1 }), /part is 1; it must be a number above 0 and below 1/],
    [() => topK({ part: 0 }), /part is 0/],
    [() => quantised('int4' as never), /type is 'int4'/],
    [() => quantised('int8', { rounding: 'up' as never }), /rounding is 'up'/],
    [() => withheld([]), /names is \[\]; it must be a list of names/],
    [() => composed(), /give one at least/],
    [() => composed(signs(), {} as never), /defence 1 is an object; it must be an object with apply/],
  ] as [() => unknown, RegExp][])('%s', (make, words) => {
    expect(make).toThrow(words)
    expect(make).toThrow(expect.objectContaining({ name: 'DlgError', code: 'invalid-option' }))
  })
})
