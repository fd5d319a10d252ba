import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { denseRows } from '../../../src/attacks/spear'
import { batch, distances } from './batches'

describe('a batch comes out exactly', () => {
  it.each([
    [1, 200],
    [2, 200],
    [3, 200],
    [4, 200],
    [6, 200],
    [8, 200],
    [12, 200],
    [16, 200],
    [20, 400],
  ])(
    'of %i samples behind %i units',
    async (samples, units) => {
      const { rows, layer, gradient } = batch(1, { samples, inputs: 100, units })
      const found = await denseRows(gradient, layer)
      expect(found).toMatchObject({ status: 'agreed', reason: undefined, rank: samples, agreement: 1 })
      expect(found.rowAgreement).toEqual(new Array(samples).fill(1))
      expect(Math.max(...distances(rows, found.rows!))).toBeLessThan(1e-6)
      expect(found.noise).toBeLessThan(1e-6)
    },
    60_000,
  )

  it('whatever the seeds of batch and search', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 7 }), async (seed, samples) => {
        const { rows, layer, gradient } = batch(seed, { samples, inputs: 30, units: 120 })
        const found = await denseRows(gradient, layer, { seed })
        expect(found.status).toBe('agreed')
        expect(Math.max(...distances(rows, found.rows!))).toBeLessThan(1e-5)
      }),
      { numRuns: 12, seed: 5 },
    )
  }, 60_000)

  it('of numbers that are all positive, as pictures are', async () => {
    const { rows, layer, gradient } = batch(1, { samples: 8, inputs: 784, units: 200, positive: true })
    const found = await denseRows(gradient, layer)
    expect(found.status).toBe('agreed')
    expect(Math.max(...distances(rows, found.rows!))).toBeLessThan(1e-6)
  }, 60_000)

  it.each([
    [8, undefined],
    [8, 100],
    [12, 100],
  ])(
    'of %i samples of two classes, where sparse mixtures abound; second layer %s',
    async (samples, second) => {
      const { rows, layer, gradient } = batch(3, {
        samples,
        inputs: 108,
        units: second ? 100 : 200,
        classes: 2,
        second,
      })
      const found = await denseRows(gradient, layer)
      expect(found.status).toBe('agreed')
      expect(Math.max(...distances(rows, found.rows!))).toBeLessThan(1e-5)
    },
    60_000,
  )

  it('with ∂z of every row, zero where the unit was off: they add up to the gradient', async () => {
    const { layer, gradient } = batch(4, { samples: 5, inputs: 40, units: 100 })
    const { rows, felt } = await denseRows(gradient, layer)
    for (const j of [0, 17, 99]) {
      const sum = [0, 1, 2, 3, 4].reduce((total, s) => total + felt![s * 100 + j], 0)
      expect(sum).toBeCloseTo(gradient.bias[j], 6)
      for (const i of [0, 39]) {
        const product = [0, 1, 2, 3, 4].reduce((total, s) => total + felt![s * 100 + j] * rows![s * 40 + i], 0)
        expect(product).toBeCloseTo(gradient.weight[i * 100 + j], 6)
      }
    }
    expect(felt!.filter((v) => v === 0).length).toBeGreaterThan(100)
  })

  it.each([1e-20, 1e20])('at the scale %s of the gradient', async (scale) => {
    const { rows, layer, gradient } = batch(5, { samples: 3, inputs: 30, units: 80 })
    const scaled = { weight: gradient.weight.map((v) => v * scale), bias: gradient.bias.map((v) => v * scale) }
    const found = await denseRows(scaled, layer)
    expect(found.status).toBe('agreed')
    expect(Math.max(...distances(rows, found.rows!))).toBeLessThan(1e-5)
  })

  it('twice alike with one seed', async () => {
    const { layer, gradient } = batch(6, { samples: 6, inputs: 50, units: 120 })
    const [a, b] = [await denseRows(gradient, layer, { seed: 7 }), await denseRows(gradient, layer, { seed: 7 })]
    expect(b).toEqual(a)
  })
})

describe('noise is said, not hidden', () => {
  it.each([1e-3, 1e-2])(
    'of %s of the gradient',
    async (noise) => {
      const { rows, layer, gradient } = batch(1, { samples: 8, inputs: 100, units: 200, noise })
      const found = await denseRows(gradient, layer)
      expect(found.rank).toBe(8)
      expect(['agreed', 'noisy']).toContain(found.status)
      expect(found.noise / noise).toBeGreaterThan(0.8)
      expect(found.noise / noise).toBeLessThan(1.2)
      // rows are N(0, 1): a relative distance is about the deviation of a number
      const worst = Math.max(...distances(rows, found.rows!))
      expect(worst).toBeLessThan(3 * Math.max(...found.deviations))
      expect(worst).toBeGreaterThan(0.3 * Math.max(...found.deviations))
      if (found.agreement < 1) expect(found.reason).toMatch(/noise explains the others; the rows are right to about/)
    },
    60_000,
  )

  it('of any batch, where single units that were on have ∂z hidden in it', async () => {
    const statuses: string[] = []
    for (let seed = 1; seed <= 20; seed++) {
      const { rows, layer, gradient } = batch(seed, { samples: 6, inputs: 20, units: 120, noise: 1e-3 })
      const found = await denseRows(gradient, layer, { budget: { draws: 3000 } })
      statuses.push(found.status)
      // a few times the noise
      if (found.status === 'noisy') expect(Math.max(...distances(rows, found.rows!))).toBeLessThan(5e-3)
    }
    expect(statuses.filter((status) => status === 'agreed' || status === 'noisy').length).toBeGreaterThanOrEqual(19)
  }, 60_000)

  it.each([1e-3, 1e-2])(
    'moves every row about as far as its deviation says: %s',
    async (noise) => {
      for (let seed = 1; seed <= 16; seed++) {
        const { rows, layer, gradient } = batch(seed, { samples: 4, inputs: 50, units: 200, noise })
        const found = await denseRows(gradient, layer)
        expect(['agreed', 'noisy']).toContain(found.status)
        // each row by itself, of N(0, 1); deviations once left out what noise makes of the directions, and some rows were off by 16 times theirs
        const off = Array.from({ length: 4 }, (_, s) => {
          const row = found.rows!.subarray(s * 50, (s + 1) * 50)
          const squares = rows.map((own) => own.reduce((sum, v, i) => sum + (v - row[i]) ** 2, 0) / 50)
          return Math.sqrt(Math.min(...squares)) / found.deviations[s]
        })
        expect(Math.max(...off)).toBeLessThan(4)
        expect(Math.min(...off)).toBeGreaterThan(0.3)
      }
    },
    60_000,
  )

  it('too much of it leaves no rank, or nothing agreed', async () => {
    const { layer, gradient } = batch(1, { samples: 8, inputs: 30, units: 60, noise: 0.5 })
    const found = await denseRows(gradient, layer, { budget: { draws: 5000 } })
    expect(['refused', 'unproven', 'budget']).toContain(found.status)
  }, 60_000)
})

describe('what is wrong never agrees', () => {
  it.each(['sigmoid', 'gelu', 'linear'] as const)(
    'a layer behind which there is %s',
    async (activation) => {
      for (const samples of [1, 2, 4]) {
        const { layer, gradient } = batch(2, { samples, inputs: 40, units: 100, activation })
        const found = await denseRows(gradient, layer, { budget: { draws: 3000 } })
        expect(found.status).not.toBe('agreed')
        expect(found.status).not.toBe('weak')
        expect(found.reason).toBeDefined()
      }
    },
    60_000,
  )

  it('another layer than the client had', async () => {
    const { gradient } = batch(2, { samples: 4, inputs: 40, units: 100 })
    const { layer } = batch(3, { samples: 4, inputs: 40, units: 100 })
    const found = await denseRows(gradient, layer, { budget: { draws: 3000 } })
    expect(['unproven', 'budget']).toContain(found.status)
    expect(found.agreement).toBeLessThan(0.9)
  })

  it('a sum of gradients of two models', async () => {
    const [a, b] = [batch(2, { samples: 3, inputs: 40, units: 100 }), batch(3, { samples: 3, inputs: 40, units: 100 })]
    const gradient = {
      weight: a.gradient.weight.map((v, i) => v + b.gradient.weight[i]),
      bias: a.gradient.bias.map((v, i) => v + b.gradient.bias[i]),
    }
    const found = await denseRows(gradient, a.layer, { budget: { draws: 3000 } })
    expect(found.status).not.toBe('agreed')
  }, 60_000)

  it('so few units that a mixture might agree are called weak', async () => {
    const { layer, gradient } = batch(2, { samples: 2, inputs: 20, units: 16 })
    const found = await denseRows(gradient, layer)
    expect(found.status).not.toBe('agreed')
    expect(found.reason).toMatch(/units are few|directions|masks/)
  })
})

describe('a gradient that does not show its samples is refused, with the numbers', () => {
  it('more samples than inputs', async () => {
    const { layer, gradient } = batch(1, { samples: 12, inputs: 8, units: 100 })
    const found = await denseRows(gradient, layer)
    expect(found).toMatchObject({ status: 'refused', rows: undefined, rank: 0 })
    expect(found.reason).toMatch(/saturated.*100 units and 8 inputs show at most 8 samples/)
  })

  it('more samples than units', async () => {
    const { layer, gradient } = batch(1, { samples: 12, inputs: 100, units: 10 })
    const found = await denseRows(gradient, layer, { batchSize: 12 })
    expect(found.status).toBe('refused')
    expect(found.reason).toBe('the batch has 12 samples; 10 units and 100 inputs show at most 9 samples')
  })

  it('repeated samples', async () => {
    const { layer, gradient } = batch(1, { samples: 5, inputs: 60, units: 100, repeated: true })
    const found = await denseRows(gradient, layer, { batchSize: 5 })
    expect(found).toMatchObject({ status: 'refused', rank: 4 })
    expect(found.reason).toMatch(/shows 4 samples of 5/)
  })

  it('more samples than batchSize says', async () => {
    const { layer, gradient } = batch(1, { samples: 5, inputs: 60, units: 100 })
    const found = await denseRows(gradient, layer, { batchSize: 3 })
    expect(found).toMatchObject({ status: 'refused', reason: 'the gradient shows 5 samples; batchSize says 3' })
  })

  it('nothing at all', async () => {
    const { layer } = batch(1, { samples: 1, inputs: 6, units: 5 })
    const found = await denseRows({ weight: new Float64Array(30), bias: new Float64Array(5) }, layer)
    expect(found).toMatchObject({ status: 'refused', reason: 'the gradient of the layer is zero: no unit was on' })
  })
})

describe('a search can be ended', () => {
  const hard = batch(1, { samples: 40, inputs: 100, units: 200 })

  it('by its budget of draws', async () => {
    const found = await denseRows(hard.gradient, hard.layer, { budget: { draws: 1000 } })
    expect(found.status).toBe('budget')
    expect(found.draws).toBeGreaterThanOrEqual(1000)
    expect(found.draws).toBeLessThan(1500)
    expect(found.reason).toMatch(/\d+ of 40 directions were found in \d+ draws|the masks of the best/)
  }, 60_000)

  it('by a signal, and keeps what it has', async () => {
    const controller = new AbortController()
    const seen: number[] = []
    const found = await denseRows(hard.gradient, hard.layer, {
      signal: controller.signal,
      onProgress: ({ draws, rank }) => {
        expect(rank).toBe(40)
        seen.push(draws)
        if (seen.length === 3) controller.abort()
      },
    })
    expect(found.status).toBe('aborted')
    expect(seen).toHaveLength(3)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
  }, 60_000)

  it('by a timer, which is let run', async () => {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), 20)
    const found = await denseRows(hard.gradient, hard.layer, { signal: controller.signal })
    clearTimeout(timer)
    expect(found.status).toBe('aborted')
  }, 60_000)
})

describe('wrong input is refused', () => {
  const { layer, gradient } = batch(1, { samples: 2, inputs: 4, units: 6 })
  const aborted = AbortSignal.abort()
  it.each([
    ['invalid-option', { batchSize: 0 }, 'batchSize is 0'],
    ['invalid-option', { seed: 0.5 }, 'seed is 0.5'],
    ['invalid-option', { other: 1 }, "there is no 'other'"],
    ['invalid-option', { signal: 1 }, 'signal is 1'],
    ['invalid-option', { onProgress: 1 }, 'onProgress is 1'],
    ['invalid-option', { budget: { steps: 1 } }, "there is no 'steps'"],
    ['budget', { budget: { draws: 0 } }, 'budget.draws is 0'],
    ['aborted', { signal: aborted }, 'aborted before'],
  ])('%s: %j', async (code, options, message) => {
    const error = await denseRows(gradient, layer, options as object).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'DlgError', code, message: expect.stringContaining(message) })
  })

  it('a layer of another size, numbers that are not finite', async () => {
    const other = { weight: layer.weight.slice(1), bias: layer.bias }
    await expect(denseRows(gradient, other)).rejects.toMatchObject({
      code: 'invalid-gradients',
      message: 'the layer has 23 weights and 6 biases; its gradient has 24 and 6',
    })
    const broken = { weight: gradient.weight.with(3, Number.NaN), bias: gradient.bias }
    await expect(denseRows(broken, layer)).rejects.toMatchObject({ code: 'invalid-gradients' })
    const away = { weight: layer.weight, bias: layer.bias.with(2, Infinity) }
    await expect(denseRows(gradient, away)).rejects.toMatchObject({
      code: 'invalid-gradients',
      message: "the layer's bias is Infinity at position 2; it must be finite",
    })
  })
})
