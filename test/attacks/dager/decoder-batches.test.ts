import { describe, expect, it } from 'vitest'
import { CUT } from '../../../src/attacks/contract/pause'
import { decoderBatches } from '../../../src/attacks/dager/decoder-batches'
import type { SecondInputs } from '../../../src/attacks/dager/second-inputs'

const names = (sequences: readonly (readonly number[])[]): string[] => sequences.map(String).sort()

/** A second block that knows the truth: what is far from it, and by exception what noise makes near or far. */
function second(
  truth: readonly (readonly number[])[],
  exceptions: Readonly<Record<string, number>> = {},
): SecondInputs {
  const far = (trial: readonly number[]): number =>
    exceptions[String(trial)] ?? (truth.some((t) => trial.every((v, p) => t[p] === v)) ? 0.3 : 2)
  return {
    isNoisy: async () => true,
    distances: async (trials) => trials.map(far),
    offsets: async () => [],
  }
}

describe('decoderBatches', () => {
  // candidates are numbered by position: 10 p + k
  const truth = [
    [0, 10, 20, 30],
    [1, 11, 21],
    [2, 12, 22, 32],
  ]
  const places = [
    [0, 1, 2],
    [12, 10, 11],
    [20, 21, 22],
    [32, 30],
  ]
  const batches = (own: readonly (readonly number[])[], inputs: SecondInputs) =>
    decoderBatches(
      own,
      inputs,
      () => {},
      async () => false,
    )

  it('finds all sentences, of different lengths, the likeliest batch first', async () => {
    const [best, next] = await batches(places, second(truth))
    expect(names(best)).toEqual(names(truth))
    expect(names(next)).not.toEqual(names(truth))
  })

  it('gives a prefix its own candidate where noise makes the one of a neighbour nearer', async () => {
    // alone, sentence 0 would go on with 11; but then 10 is left for sentence 1, which it does not fit at all
    const [best] = await batches(places, second(truth, { '0,11': 0.25 }))
    expect(names(best)).toEqual(names(truth))
  })

  it('lets sentences share a candidate where a position has fewer than a later one', async () => {
    const shared = [truth[0], [1, 10, 21], truth[2]]
    const fewer = [places[0], [12, 10], places[2], places[3]]
    const [best] = await batches(fewer, second(shared))
    expect(names(best)).toEqual(names(shared))
  })

  it('leaves strangers alone, which a token that recurs brings', async () => {
    const more = [[0, 1, 2, 3, 4], places[1], places[2], [34, 32, 33, 30]]
    const whole = [truth[0], [...truth[1], 33], truth[2]]
    const [best] = await batches(more, second(whole, { 3: 1.5, 4: 1.5 }))
    expect(names(best)).toEqual(names(whole))
  })

  it('tells the beginnings that it follows', async () => {
    const told: string[][] = []
    await decoderBatches(
      places,
      second(truth),
      (found) => told.push(names(found)),
      async () => false,
    )
    // with as many sentences as most positions have candidates, and then with two
    expect(told).toHaveLength(2 * 4)
    expect(told[1]).toEqual(names(truth.map((sequence) => sequence.slice(0, 2))))
    expect(told[3]).toEqual(names(truth))
  })

  it('looks up between its steps, and ends where it is no longer wanted, however many candidates there are', async () => {
    const many = Array.from({ length: 6 }, (_, p) => Array.from({ length: 60 }, (_, k) => 100 * p + k))
    let looks = 0
    const wanted = decoderBatches(
      many,
      second([]),
      () => {},
      async () => ++looks === 200,
    )
    await expect(wanted).rejects.toBe(CUT)
    expect(looks).toBe(200)
  })
})
