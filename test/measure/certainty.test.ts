import fc from 'fast-check'
import { inverse, Matrix } from 'ml-matrix'
import { describe, expect, it } from 'vitest'
import { type CertaintyProblem, certaintyOf } from '../../src/measure/certainty/certainty'
import type { UnknownGroup } from '../../src/measure/certainty/curvature'
import { type Random, random } from '../../src/numbers/random'

/** What is shared, g(x), with its Jacobian as rows. */
interface SharedModel {
  value(x: Float64Array): number[]
  jacobian(x: Float64Array): number[][]
}

const times = (rows: readonly (readonly number[])[], x: ArrayLike<number>): number[] =>
  rows.map((row) => row.reduce((sum, v, j) => sum + v * x[j], 0))

const linear = (rows: number[][]): SharedModel => ({ value: (x) => times(rows, x), jacobian: () => rows })

const normal = (rows: number, columns: number, from: Random): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => from.normal()))

/** R = ‖g(x) − g(x₀)‖² / unit and its gradient 2 Jᵀ(g(x) − g(x₀)) / unit, rounded to float32 as the runtimes are. */
function problem(
  { value, jacobian }: SharedModel,
  point: Float64Array,
  changes: Partial<CertaintyProblem> = {},
): CertaintyProblem & { readonly asked: () => number } {
  const target = value(point)
  const unit = target.reduce((sum, v) => sum + v * v, 0) || 1
  let asked = 0
  return {
    async evaluate(x) {
      asked++
      const residual = value(x).map((v, i) => Math.fround(v) - Math.fround(target[i]))
      const rows = jacobian(x)
      return {
        gradient: x.map((_, j) =>
          Math.fround((2 * rows.reduce((sum, row, i) => sum + row[j] * residual[i], 0)) / unit),
        ),
      }
    },
    reach: async (x) => Float64Array.from(value(x), (v) => Math.fround(v) / Math.sqrt(unit)),
    point,
    groups: [{ name: 'x', start: 0, size: point.length, unit: 1 }],
    floor: 1e-12,
    numbers: target.length,
    ...changes,
    asked: () => asked,
  }
}

const around = (size: number, from: Random): Float64Array => Float64Array.from({ length: size }, () => from.uniform())
const ones = (mask: ArrayLike<number>): number[] => Array.from(mask).flatMap((v, i) => (v > 0 ? [i] : []))

describe('a linear model', () => {
  /** Columns at these places are zero. */
  const blind = (rows: number[][], silent: readonly number[]) =>
    rows.map((row) => row.map((v, j) => (silent.includes(j) ? 0 : v)))

  it.each([
    [30, 60, 'every direction'],
    [300, 600, 'a subspace'],
  ] as const)(
    'of %i unknowns has those as silent that it does not read, over 10 seeds',
    async (size, rows, examined) => {
      for (let seed = 1; seed <= 10; seed++) {
        const from = random(seed)
        const silent = [0, 7, size - 1]
        const model = linear(blind(normal(rows, size, from), silent))
        const certainty = (await certaintyOf(problem(model, around(size, from), { seed })))!
        expect(ones(certainty.silent)).toEqual(silent)
        expect(ones(certainty.freedom)).toEqual(silent)
        expect(certainty).toMatchObject({ determined: false, directions: [], examined })
      }
    },
  )

  it.each([30, 300])('of %i unknowns that reads all is determined, over 10 seeds', async (size) => {
    for (let seed = 1; seed <= 10; seed++) {
      const from = random(seed)
      const certainty = (await certaintyOf(
        problem(linear(normal(2 * size, size, from)), around(size, from), { seed }),
      ))!
      expect(certainty).toMatchObject({ determined: true, directions: [] })
      expect(ones(certainty.silent)).toEqual([])
    }
  })

  it('with columns over five orders of magnitude knows those above the floor from those below', async () => {
    for (const size of [40, 400]) {
      const from = random(3)
      const point = around(size, from)
      const columns = Array.from({ length: size }, (_, j) => 10 ** (-5 * (j / size)))
      const rows = normal(2 * size, size, from).map((row) => row.map((v, j) => v * columns[j]))
      const unit = times(rows, point).reduce((sum, v) => sum + v * v, 0)
      const exact = columns.map((_, j) => rows.reduce((sum, row) => sum + row[j] ** 2, 0) / unit)
      const floor = 1e-9
      const certainty = (await certaintyOf(problem(linear(rows), point, { floor })))!
      for (const [j, value] of exact.entries()) {
        if (value > 3 * floor) expect(certainty.silent[j]).toBe(0)
        if (value < floor / 3) expect(certainty.silent[j]).toBe(1)
      }
    }
  })

  it('of fewer numbers than unknowns leaves a free direction for each that is missing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1e6 }), async (missing, seed) => {
        const from = random(seed)
        const rows = normal(24 - missing, 24, from)
        const certainty = (await certaintyOf(problem(linear(rows), around(24, from), { seed })))!
        expect(certainty.directions).toHaveLength(missing)
        for (const { vector } of certainty.directions) {
          const moved = times(rows, vector).reduce((sum, v) => sum + v * v, 0)
          expect(moved / times(rows, new Float64Array(24).fill(1)).reduce((sum, v) => sum + v * v, 0)).toBeLessThan(
            1e-8,
          )
        }
      }),
      { numRuns: 20, seed: 7 },
    )
  })

  it('of many unknowns shows a mixture of two samples, with its vector', async () => {
    // both samples are only in their sum
    const from = random(5)
    const half = normal(300, 100, from)
    const rows = half.map((row) => [...row, ...row])
    const certainty = (await certaintyOf(problem(linear(rows), around(200, from))))!
    expect(certainty).toMatchObject({ determined: false, examined: 'a subspace' })
    expect(ones(certainty.silent)).toEqual([])
    for (const { vector } of certainty.directions)
      for (let i = 0; i < 100; i++) expect(vector[i] + vector[100 + i]).toBeCloseTo(0, 3)
  })

  it('gives the squared columns as sensitivities where every direction is looked at', async () => {
    const from = random(9)
    const point = around(20, from)
    const rows = normal(50, 20, from)
    const unit = times(rows, point).reduce((sum, v) => sum + v * v, 0)
    const { sensitivity } = (await certaintyOf(problem(linear(rows), point)))!
    sensitivity.forEach((v, j) => {
      expect(v / (rows.reduce((sum, row) => sum + row[j] ** 2, 0) / unit)).toBeCloseTo(1, 3)
    })
  })

  it('is measured in the units of its groups', async () => {
    // the second unknown moves little a unit of 1, and enough a unit of 1,000
    const model = linear([
      [1, 0],
      [0, 1e-7],
    ])
    const at = (unit: number): UnknownGroup[] => [
      { name: 'a', start: 0, size: 1, unit: 1 },
      { name: 'b', start: 1, size: 1, unit },
    ]
    const point = Float64Array.of(1, 1)
    expect((await certaintyOf(problem(model, point, { groups: at(1) })))!.determined).toBe(false)
    expect((await certaintyOf(problem(model, point, { groups: at(1000) })))!.determined).toBe(true)
  })
})

describe('a curved model', () => {
  /** g(x) = Σ x²: the sphere through x₀ gives the same. */
  const sphere: SharedModel = {
    value: (x) => [x.reduce((sum, v) => sum + v * v, 0)],
    jacobian: (x) => [Array.from(x, (v) => 2 * v)],
  }

  it('has the tangents of its level set as free directions', async () => {
    const point = Float64Array.of(0.5, 0.2, 0.9, 0.4)
    const { directions } = (await certaintyOf(problem(sphere, point)))!
    expect(directions).toHaveLength(3)
    for (const { vector } of directions) expect(vector.reduce((sum, v, i) => sum + v * point[i], 0)).toBeCloseTo(0, 4)
  })
})

describe('probabilities', () => {
  const groups = [{ name: 'q', start: 0, size: 6, unit: 1, classes: 3 }]
  const point = Float64Array.of(0, 1, 0, 0.2, 0.3, 0.5)
  /** Differences alone: a common shift of a row changes nothing. */
  const differences = [
    [1, -1, 0, 0, 0, 0],
    [0, 1, -1, 0, 0, 0],
    [0, 0, 0, 1, -1, 0],
    [0, 0, 0, 0, 1, -1],
  ]

  it('move against each other, and their common shift is not a direction', async () => {
    const certainty = (await certaintyOf(problem(linear(differences), point, { groups })))!
    expect(certainty.determined).toBe(true)
    expect(ones(certainty.silent)).toEqual([])
    const single = [{ name: 'q', start: 0, size: 6, unit: 1 }]
    expect((await certaintyOf(problem(linear(differences), point, { groups: single })))!.directions).toHaveLength(2)
  })

  it('of one sample may be silent', async () => {
    const certainty = (await certaintyOf(problem(linear(differences.slice(0, 2)), point, { groups })))!
    expect(ones(certainty.silent)).toEqual([3, 4, 5])
  })

  it('of two classes are free against a factor that is fitted', async () => {
    // g = (x, p − q, q − p), compared after the factor that fits: p − q is the factor
    const direction = (x: Float64Array): number[] => {
      const d = 0.3 - x[2]
      const g = [x[0] * d, x[1] * d, d, -d]
      const norm = Math.sqrt(g.reduce((sum, v) => sum + v * v, 0))
      return g.map((v) => v / norm)
    }
    const model: SharedModel = {
      value: direction,
      jacobian(x) {
        const columns = Array.from(x, (_, j) => {
          const [ahead, behind] = [1e-5, -1e-5].map((h) => direction(x.map((v, i) => (i === j ? v + h : v))))
          return ahead.map((v, i) => (v - behind[i]) / 2e-5)
        })
        return columns[0].map((_, i) => columns.map((column) => column[i]))
      },
    }
    const own = [
      { name: 'x', start: 0, size: 2, unit: 1 },
      { name: 'q', start: 2, size: 2, unit: 1, classes: 2 },
    ]
    const certainty = (await certaintyOf(problem(model, Float64Array.of(0.4, 0.8, 1, 0), { groups: own })))!
    expect(ones(certainty.freedom.map((v) => (v > 0.1 ? 1 : 0)))).toEqual([2, 3])
  })
})

describe('error bars', () => {
  it('are those of least squares, and of a uniform distribution where nothing is known', async () => {
    const from = random(11)
    const point = around(12, from)
    const rows = normal(40, 12, from).map((row) => row.map((v, j) => (j === 0 ? 0 : v)))
    const unit = times(rows, point).reduce((sum, v) => sum + v * v, 0)
    const seen = new Matrix(rows.map((row) => row.slice(1)))
    const pseudo = inverse(seen.transpose().mmul(seen)).mmul(seen.transpose())
    /** The end of a search on g* + δ, ‖δ‖² = 1e-12 ‖g*‖². */
    const resample: CertaintyProblem['resample'] = async (stream) => {
      // it came to rest
      if (!stream) return point
      const delta = rows.map(() => stream.normal() * Math.sqrt((1e-12 * unit) / rows.length))
      const moved = times(pseudo.to2DArray(), delta)
      return point.map((v, j) => (j === 0 ? v : v + moved[j - 1]))
    }
    const { bars, floor } = (await certaintyOf(problem(linear(rows), point, { resample })))!
    const covariance = inverse(seen.transpose().mmul(seen)).mul((floor * unit) / rows.length)
    // widened by Student's 1.115 for 12 ends; the mean of 132 squares, whose spread is √(2 / 132) where they are independent: 0.12
    const ratio = Array.from({ length: 11 }, (_, j) => bars![j + 1] ** 2 / covariance.get(j, j) / 11 / 1.115 ** 2)
    expect(ratio.reduce((a, b) => a + b)).toBeGreaterThan(0.6)
    expect(ratio.reduce((a, b) => a + b)).toBeLessThan(1.5)
    expect(bars![0]).toBeCloseTo(1 / Math.sqrt(12), 6)
  })

  it('are not there when a search was cut short', async () => {
    const from = random(2)
    const model = linear(normal(9, 4, from))
    expect(
      (await certaintyOf(problem(model, around(4, from), { resample: async () => undefined })))!.bars,
    ).toBeUndefined()
  })
})

describe('the work', () => {
  const from = random(21)
  const model = linear(normal(600, 300, from).map((row) => row.map((v, j) => (j < 9 ? 0 : v))))
  const point = around(300, from)

  it('is at most 200 evaluations, and is counted', async () => {
    const asked = problem(model, point)
    const { evaluations } = (await certaintyOf(asked))!
    expect(evaluations).toBe(asked.asked())
    expect(evaluations).toBeLessThanOrEqual(200)
  })

  it('gives the same for the same seed', async () => {
    const [a, b] = [await certaintyOf(problem(model, point)), await certaintyOf(problem(model, point))]
    expect(a).toEqual(b)
  })

  it('keeps to a budget and says what was looked at', async () => {
    expect(await certaintyOf(problem(model, point, { budget: 20 }))).toBeUndefined()
    const some = (await certaintyOf(problem(model, point, { budget: 72 })))!
    expect(some.examined).not.toBe('every direction')
    expect(some.evaluations).toBeLessThanOrEqual(72)
    expect(ones(some.silent)).toHaveLength(9)
  })

  it.each([
    ['every direction', {}],
    ['a subspace', { reach: undefined }],
  ])(
    'keeps what is free alone where it ends before combinations, and claims nothing else: %s',
    async (examined, own) => {
      const from = random(5)
      const at = around(12, from)
      // two unknowns that move nothing, and two that move the same
      const rows = normal(24, 12, from).map((row) => row.with(3, row[2]))
      const blind = rows.map((row) => row.map((v, j) => (j < 2 ? 0 : v)))
      const seen = new Set<unknown>()
      for (let most = 1; most < 240; most += 8) {
        const cutOf = (model: SharedModel) => {
          let asked = 0
          return certaintyOf(problem(model, at, { ...own, cut: () => asked++ >= most }))
        }
        const [some, none] = [await cutOf(linear(blind)), await cutOf(linear(rows))]
        seen.add(some?.examined)
        if (some) expect([some.determined, ones(some.silent)]).toEqual([false, [0, 1]])
        expect(none?.examined).not.toBe('single unknowns')
      }
      expect([...seen]).toEqual([undefined, 'single unknowns', examined])
    },
  )

  it('ends when it is cut', async () => {
    const asked = problem(model, point, { cut: () => asked.asked() >= 5 })
    expect(await certaintyOf(asked)).toBeUndefined()
    expect(asked.asked()).toBe(5)
  })

  it('ends where the model has no finite gradient nearby', async () => {
    const evaluate = async (x: Float64Array) => ({ gradient: x.map(() => Number.NaN) })
    expect(await certaintyOf(problem(model, point, { evaluate }))).toBeUndefined()
  })

  it('does not change the point', async () => {
    const own = point.slice()
    await certaintyOf(problem(model, own))
    expect(own).toEqual(point)
  })
})
