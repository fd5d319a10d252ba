import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  journalLine,
  type Plan,
  parseJournal,
  type RunAbout,
  runHeader,
  runOf,
  type TrialRecord,
} from '../../src/audit'
import { canonical, digest, digestOf } from '../../src/audit/digest'

const plan: Plan = { key: 'abc', chains: [], undefended: true, withData: true }
const about: RunAbout = { versions: { 'dlg-ts': '1' }, seed: 1, evaluations: 10, batchSize: 1 }
const trial = (key: string): TrialRecord => ({
  ...{ type: 'trial', key, client: 0, samples: ['a\nb'], attack: 'x', defence: 'none', description: 'no defence' },
  ...{ attacker: 'adaptive', status: 'failed', reason: 'r', evidence: {}, evaluations: 1, milliseconds: 1 },
})
const header = journalLine(runHeader(plan, about))

describe('the journal of a run', () => {
  it('gives back what was written, but for the numbers that were found', () => {
    const found = { shape: [1, 2], file: 'found/k.npz', data: Float32Array.of(1, 2) }
    const { records, cutOff } = parseJournal(header + journalLine({ ...trial('k'), found }) + journalLine(trial('l')))
    expect(records).toEqual([{ ...trial('k'), found: { shape: [1, 2], file: 'found/k.npz' } }, trial('l')])
    expect(cutOff).toBe(false)
  })

  it('loses at most the line that a kill cut off, wherever that was', () => {
    const whole = header + ['a', 'b', 'c'].map((key) => journalLine(trial(key))).join('')
    const ends = [...whole].flatMap((letter, i) => (letter === '\n' ? [i + 1] : []))
    fc.assert(
      fc.property(fc.integer({ min: ends[0], max: whole.length }), (at) => {
        const { records, cutOff } = parseJournal(whole.slice(0, at))
        expect(records.map(({ key }) => key)).toEqual(
          ['a', 'b', 'c'].slice(0, ends.filter((end) => end <= at).length - 1),
        )
        expect(cutOff).toBe(!ends.includes(at))
      }),
    )
  })

  it('joins the shards of one audit, each trial once, and refuses those of two', () => {
    const first = header + journalLine(trial('a')) + journalLine(trial('b'))
    const second = header + journalLine(trial('b')) + journalLine(trial('c'))
    expect(parseJournal(first + second).records.map(({ key }) => key)).toEqual(['a', 'b', 'c'])
    const other = journalLine(runHeader({ ...plan, key: 'xyz' }, about))
    expect(() => parseJournal(first + other)).toThrow('two audits')
    expect(runOf(parseJournal(first)).plan).toEqual({ undefended: true, withData: true, trials: 0 })
  })

  it('takes what was tried again in place of what broke down', () => {
    const line = (status: TrialRecord['status'], reason: string) => journalLine({ ...trial('a'), status, reason })
    const reasonOf = (...lines: string[]) => parseJournal(header + lines.join('')).records.map(({ reason }) => reason)
    expect(reasonOf(line('error', 'first'), line('failed', 'second'))).toEqual(['second'])
    expect(reasonOf(line('error', 'first'), line('error', 'second'))).toEqual(['second'])
    expect(reasonOf(line('failed', 'first'), line('error', 'second'))).toEqual(['first'])
  })

  it.each([
    ['{}\n', 'line 1 is neither a run nor a trial'],
    ['{\n', 'line 1 is no JSON'],
    [journalLine(trial('a')), 'its first line is not the header'],
    ['', 'it is empty'],
    [header.slice(0, 40), 'its first line was cut off, and no trial is in it'],
    [header.replace('"version":1', '"version":2'), 'is of version 2'],
    // a status that there is not would be taken for a failure
    [header + journalLine(trial('a')).replace('failed', 'leaked'), 'line 2 is neither'],
    [
      `${header}${JSON.stringify({
        ...trial('a'),
        trace: [
          [2, 1],
          [1, 1],
        ],
      })}\n`,
      'line 2 is neither',
    ],
    [`${header}${JSON.stringify({ ...trial('a'), trace: Array(41).fill([1, 1]) })}\n`, 'line 2 is neither'],
    [header + journalLine(trial('a')).replace('adaptive', '\\u001b[31m'), 'line 2 is neither'],
    [`${header}${JSON.stringify({ ...trial('a'), found: { shape: [1], file: '../a.npz' } })}\n`, 'line 2 is neither'],
    [`${header}${JSON.stringify({ ...trial('a'), measured: [{ psnr: null }] })}\n`, 'line 2 is neither'],
    [`${header}${JSON.stringify({ ...trial('a'), labels: {} })}\n`, 'line 2 is neither'],
    [`${header}${JSON.stringify({ ...trial('a'), utility: {} })}\n`, 'line 2 is neither'],
    [`${header}${JSON.stringify({ ...trial('a'), utility: null })}\n`, 'line 2 is neither'],
    [
      `${header}${JSON.stringify({ ...trial('a'), utility: { cosine: '1', relativeError: 0 } })}\n`,
      'line 2 is neither',
    ],
    [`${header}${JSON.stringify({ ...trial('a'), utility: { cosine: 2, relativeError: 0 } })}\n`, 'line 2 is neither'],
    [`${header}${JSON.stringify({ ...trial('a'), client: 0.5 })}\n`, 'line 2 is neither'],
    [header.replace('"seed":1', '"seed":1,"command":{}'), 'line 1 does not say how the run was made'],
    [header.replace('{"dlg-ts":"1"}', '{"dlg-ts":{}}'), 'line 1 does not say how the run was made'],
  ])('refuses %j', (text, words) => {
    expect(() => parseJournal(text)).toThrow(words)
  })
})

it.each([{ command: {} }, { versions: { node: 20 } }, { seed: Number.NaN }, { range: [0] }])(
  'a run is not told of in other words than its reports can show: %o',
  (change) => {
    expect(() => runHeader(plan, { ...about, ...change } as unknown as RunAbout)).toThrow('about is not whole')
  },
)

describe('the digest of a trial', () => {
  it('does not depend on the order of fields, and tells values apart', async () => {
    expect(canonical({ a: 1, b: [2, { c: 3 }] })).toBe(canonical({ b: [2, { c: 3 }], a: 1 }))
    const values = [
      0,
      '0',
      [0],
      { a: 0 },
      Float32Array.of(0),
      Int32Array.of(0),
      null,
      undefined,
      'undefined',
      new Map([['a', 0]]),
      new Set([0]),
      new Set([1]),
      new Date(0),
      new Date(1),
      /0/,
      /1/,
      new Uint8Array([0]).buffer,
      new Uint8Array([1]).buffer,
      true,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]
    expect(new Set(values.map((value) => canonical([value]))).size).toBe(values.length)
    // SHA-256 of "abc", FIPS 180-2
    expect(await digest('abc')).toBe('ba7816bf8f01cfea414140de5dae2223')
  })

  it('refuses what holds a model, whose layers refer to each other without end', () => {
    class Layer {
      next: Layer[] = []
    }
    const all = Array.from({ length: 12 }, () => new Layer())
    for (const layer of all) layer.next = [...all]
    const refused = () => canonical({ attack: { name: 'own', model: all[0] } })
    expect(refused).toThrow(expect.objectContaining({ code: 'invalid-option' }))
    expect(refused).toThrow('more than 1000 objects of classes, such as the layers of a model')
    const [one, two] = [new Layer(), new Layer()]
    one.next = [two]
    two.next = [one]
    expect(canonical(one)).toBe(canonical(two))
  })

  it('is of the bytes of long arrays, in pieces, and other work runs between them', async () => {
    const weights = Float32Array.from({ length: 700_000 }, (_, i) => Math.sin(i))
    const keyOf = (value: unknown) => digestOf({ weights: new Map([['w', value]]) }, async () => {})
    const own = await keyOf(weights)
    expect(own).toMatch(/^[0-9a-f]{32}$/)
    expect(await keyOf(weights.slice())).toBe(own)
    for (const at of [0, 300_000, 699_999]) {
      const other = weights.slice()
      other[at] += 1e-3
      expect(await keyOf(other)).not.toBe(own)
    }
    // the same bytes, as other numbers
    expect(await keyOf(new Int32Array(weights.buffer))).not.toBe(own)
    expect(await keyOf([...weights])).not.toBe(own)
    expect(await keyOf([...weights])).toBe(await keyOf([...weights]))
    let rests = 0
    await digestOf(weights, async () => {
      rests++
    })
    expect(rests).toBe(3)
  })
})
