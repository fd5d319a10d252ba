import { CUT, type Pause } from '../contract/pause'
import { allowance } from './first-inputs'
import { offset, outside, type Span } from './span'
import type { FirstBlock } from './transformer'

/** How far the inputs of the second block lie outside its span, for sequences put together from candidates of the first. */
export interface SecondInputs {
  /** Whether noise moves inputs such as these further out of the span than one wrong token may. */
  isNoisy(trials: readonly (readonly number[])[], at: number): Promise<boolean>
  /** For each trial, how many times more than allowed its input at position `at` lies outside: up to 1 it counts as inside. */
  distances(trials: readonly (readonly number[])[], at: number): Promise<number[]>
  /** For each trial: the part of its input at `at` that lies outside, by direction, divided by the input's length. */
  offsets(trials: readonly (readonly number[])[], at: number): Promise<Float64Array[]>
}

/** Milliseconds that one call of the block may take. */
const SLICE = 20

/** @throws CUT */
export function secondInputs(block: FirstBlock, span: Span, tolerance: number, pause: Pause): SecondInputs {
  let size = 16
  /** Runs the block on as many trials at a time as leave others room to run. */
  async function each<T>(
    trials: readonly (readonly number[])[],
    at: number,
    read: (u: Float64Array | Float32Array) => T,
  ): Promise<T[]> {
    const out: T[] = []
    while (out.length < trials.length) {
      const started = performance.now()
      const some = trials.slice(out.length, out.length + size)
      const inputs = await block.secondInputs(some, at)
      for (let i = 0; i < some.length; i++) out.push(read(inputs.subarray(i * span.width, (i + 1) * span.width)))
      const took = performance.now() - started
      if (took < SLICE / 2 && some.length === size) size *= 2
      else if (took > SLICE && size > 1) size >>= 1
      if (await pause()) throw CUT
    }
    return out
  }
  return {
    isNoisy: async (trials, at) =>
      (await each(trials, at, (u) => allowance(outside(span, u), tolerance) > tolerance)).some((far) => far),
    distances: (trials, at) =>
      each(trials, at, (u) => {
        const tested = outside(span, u)
        return tested.far / allowance(tested, tolerance)
      }),
    offsets: (trials, at) => each(trials, at, (u) => offset(span, u)),
  }
}

/** Two sequences that share more of the telling positions than this are one, and noise hides which. */
const ALIKE = 0.5

/**
 * Chooses among sequences, some of which mix others, those of the least score that have little in common (Petrov et al. 2024
 * drop what is 70 % alike).
 */
export function unlike(
  found: readonly (readonly number[])[],
  scores: readonly number[],
  places: readonly (readonly number[])[],
): number[][] {
  const chosen: (readonly number[])[] = []
  for (const i of [...found.keys()].sort((a, b) => scores[a] - scores[b])) {
    const telling = [...found[i].keys()].filter((p) => places[p].length > 1)
    const shared = chosen.map((other) => telling.filter((p) => other[p] === found[i][p]).length)
    if (shared.every((n) => n <= ALIKE * telling.length)) chosen.push(found[i])
  }
  return chosen.map((sequence) => [...sequence])
}
