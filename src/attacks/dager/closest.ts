import { allowance, type Candidate } from './first-inputs'

/** What rounding to float32 leaves outside the span of a right first input, at most. */
const ROUNDING = 3e-5

/** A right candidate lies at most this many times as far outside as the closest candidate of the worst position; 12 times in one of 20 batches. */
const SPREAD = 16

/**
 * Drops candidates that lie much further outside the span than right ones do.
 *
 * E_a + P_p = (E_a + P_q) + (E_b + P_p) − (E_b + P_q). Where the batch has the three on the right, only the layer norm keeps token a at
 * position p out of their span. In MiniLM it lies 5e-5 to 1e-3 outside, which is within the tolerance. Each position has a right token,
 * so the closest candidate of each position shows how far outside right ones are.
 *
 * @param places candidates of every position, the closest first
 */
export function closest(places: readonly Candidate[][]): Candidate[][] {
  const level = Math.max(ROUNDING, SPREAD * Math.max(0, ...places.map(([first]) => first.far)))
  return places.map((candidates) => candidates.filter((candidate) => candidate.far <= allowance(candidate, level)))
}
