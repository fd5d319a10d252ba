import type { TrialId, TrialRecord } from '../../../audit'
import { isRecord as isTrialRecord } from '../../../audit/checks'
import { isRecord } from '../../../io/bytes/untrusted'

/** What a worker returns of a job, as JSON. */
export interface Returned {
  readonly worker: string
  readonly record: TrialRecord
  /** The float32 numbers of `record.found`, little endian, as base64. */
  readonly found?: string
}

/** A record as it goes through the queue. @param redact whether what was found stays behind */
export function returned(worker: string, record: TrialRecord, redact: boolean): Returned {
  const { found, ...rest } = record
  if (redact || !found?.data) return { worker, record: rest }
  const { buffer, byteOffset, byteLength } = found.data
  return {
    worker,
    record: { ...rest, found: { shape: found.shape } },
    found: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
  }
}

/** The record of a trial out of what a worker returned; undefined where it is none of this trial. */
export function recordOf(given: unknown, { key }: TrialId): { worker: string; record: TrialRecord } | undefined {
  if (!isRecord(given) || typeof given.worker !== 'string' || !isTrialRecord(given.record)) return undefined
  const { worker, record, found } = given as unknown as Returned
  if (record.key !== key) return undefined
  if (record.found === undefined || typeof found !== 'string')
    return { worker, record: { ...record, found: undefined } }
  const { shape } = record.found
  const bytes = Uint8Array.from(Buffer.from(found, 'base64'))
  if (bytes.length !== 4 * shape.reduce((product, n) => product * n, 1)) return undefined
  return { worker, record: { ...record, found: { shape, data: new Float32Array(bytes.buffer) } } }
}
