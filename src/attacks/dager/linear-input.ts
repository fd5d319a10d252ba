import type { Steps } from '../../numbers/steps'
import type { Values } from '../../runtime/runtime'
import type { Table } from '../tokens/token-set'
import type { FirstInputs } from './first-inputs'

/** ⟨a, the numbers of a table from a place on⟩, in four sums: a processor adds to them at once. */
export function dotAt(a: Float64Array, data: Values, from: number): number {
  let [p, q, r, s] = [0, 0, 0, 0]
  const whole = a.length - (a.length % 4)
  for (let j = 0, at = from; j < whole; j += 4, at += 4) {
    p += a[j] * data[at]
    q += a[j + 1] * data[at + 1]
    r += a[j + 2] * data[at + 2]
    s += a[j + 3] * data[at + 3]
  }
  for (let j = whole; j < a.length; j++) p += a[j] * data[from + j]
  return p + q + (r + s)
}

/**
 * Adds the squared part of every input along a direction, in units of the input's length, to a list with the inputs of one position
 * behind those of another.
 */
export interface LinearInput {
  add(direction: Float64Array, to: Float64Array): Steps<void>
}

/** Prepares the inputs of some tokens at the first positions: a direction then costs one product for each token and position. */
export function* linearInput(inputs: FirstInputs, ids: readonly number[], places: number): Steps<LinearInput> {
  const { words, positions, gamma, beta, epsilon, norm } = inputs
  const { width } = words
  const none = new Float64Array(width)
  const placeOf = (p: number): Values => (positions ? row(positions, p) : none)
  const deviations = new Float64Array(ids.length * places)
  const lengths = new Float64Array(ids.length * places)
  for (let p = 0; p < places; p++) {
    const place = placeOf(p)
    for (const [i, v] of ids.entries()) {
      const word = row(words, v)
      let [sum, square] = [0, 0]
      for (let j = 0; j < width; j++) {
        const s = word[j] + place[j]
        sum += s
        square += s * s
      }
      const mean = norm === 'rms' ? 0 : sum / width
      const deviation = Math.sqrt(square / width - mean ** 2 + epsilon)
      let length = 0
      for (let j = 0; j < width; j++) length += (((word[j] + place[j] - mean) / deviation) * gamma[j] + beta[j]) ** 2
      deviations[p * ids.length + i] = deviation
      lengths[p * ids.length + i] = Math.sqrt(length) || 1
      if (i % 256 === 255) yield
    }
    yield
  }
  return {
    *add(direction, to) {
      const [scaled] = norm === 'rms' ? scaledBy([direction], gamma) : centred([direction], gamma, width)
      const constant = dotAt(direction, beta, 0)
      const parts = new Float64Array(ids.length)
      for (const [i, v] of ids.entries()) {
        parts[i] = dotAt(scaled, words.data, v * width)
        if (i % 4096 === 4095) yield
      }
      for (let p = 0; p < places; p++) {
        const part = dotAt(scaled, placeOf(p), 0)
        for (let i = 0, n = p * ids.length; i < ids.length; i++, n++)
          to[n] += (((parts[i] + part) / deviations[n] + constant) / lengths[n]) ** 2
        yield
      }
    },
  }
}

/** One row of a table. */
export const row = ({ data, width }: Table, i: number): Values => data.subarray(i * width, (i + 1) * width)

/** The rows times γ. */
export const scaledBy = (rows: readonly Float64Array[], gamma: Values): Float64Array[] =>
  rows.map((values) => values.map((v, j) => v * gamma[j]))

/** The rows times γ, and with that their mean taken off: what they make of a vector is that of the centred vector. */
export function centred(rows: readonly Float64Array[], gamma: Values, width: number): Float64Array[] {
  return rows.map((values) => {
    const out = values.map((v, j) => v * gamma[j])
    const mean = out.reduce((a, b) => a + b, 0) / width
    return out.map((v) => v - mean)
  })
}
