import { DlgError } from '../errors/dlg-error'
import type { AuditControl, AuditProgress } from './audit'
import { openClient } from './client'
import type { AuditSettings } from './options'
import type { Chain, Plan } from './plan'
import type { TrialId, TrialRecord } from './record'
import { emptyRecord, type Open, runTrial, seenBy } from './trial'
import { THRESHOLDS, verdictAlone } from './verdict'

type Told = { readonly ended: number; readonly progress: Omit<AuditProgress, 'done' | 'of'> }

/** Plays the client of a chain, and puts the defence over what it shares. */
async function openChain(settings: AuditSettings, chain: Chain): Promise<Open> {
  try {
    const client = await openClient(settings, chain.client)
    return { ...(client.truth && { truth: client.truth }), seen: seenBy(chain, client, settings.seed) }
  } catch (error) {
    // a client whose gradient is zero, which does not end the others; updates were read before the first trial
    if (!(error instanceof DlgError) || error.code !== 'invalid-gradients' || !settings.data) throw error
    return { seen: { status: 'refused', reason: error.message } }
  }
}

/** Whether a proof of all data ends a chain. The control of defences goes on: there each attack shows what it finds without them. */
const spares = ({ defence }: Chain, { defences }: AuditSettings): boolean =>
  defence !== undefined || defences.length === 0

/**
 * Runs the attacks on what one client shares under one defence. A proof of all its data spares those after it, but for the control of
 * defences.
 */
export async function runChain(
  settings: AuditSettings,
  chain: Chain,
  { signal, done, onRecord }: AuditControl,
  tell: (told: Told) => void,
): Promise<{ readonly records: TrialRecord[]; readonly interrupted: boolean }> {
  const records: TrialRecord[] = []
  let open: Open | undefined
  let proof: string | undefined
  for (const id of chain.trials) {
    if (signal?.aborted) return { records, interrupted: true }
    const { attack, defence, client: at } = id
    const told = (words: string, part?: number) =>
      tell({
        ended: records.length,
        progress: { attack, defence, client: at, words, ...(part !== undefined && { part }) },
      })
    let record = done?.get(id.key)
    if (record === undefined && proof !== undefined) record = sparedBy(proof, id)
    if (record === undefined) {
      open ??= await openChain(settings, chain)
      told('begins', 0)
      record = await runTrial(settings, chain, id, open, {
        ...(signal && { signal }),
        onProgress: ({ words, part }) => told(words, part),
      })
      if (record === undefined) return { records, interrupted: true }
      // the event loop runs between trials, so that an abort is seen
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    if (!done?.has(id.key)) await onRecord?.(record)
    records.push(record)
    told(`${record.status}: ${record.reason}`, 1)
    if (spares(chain, settings) && provesAll(record, settings.data !== undefined)) proof = attack
  }
  return { records, interrupted: false }
}

/** Runs single trials of a plan by their keys. What the last one saw is kept: the next is often of the same chain. */
export function trialRunner(settings: AuditSettings, { chains }: Plan): (key: string) => Promise<TrialRecord> {
  const places = new Map(chains.flatMap((chain) => chain.trials.map((id) => [id.key, { chain, id }] as const)))
  let last: { readonly chain: Chain; readonly open: Open } | undefined
  return async (key) => {
    const place = places.get(key)
    if (!place) throw new DlgError('invalid-option', `there is no trial '${key}' in this audit`)
    const { chain, id } = place
    if (last?.chain !== chain) last = { chain, open: await openChain(settings, chain) }
    const record = await runTrial(settings, chain, id, last.open, {})
    // nothing aborts it
    return record!
  }
}

/** What a chain needs next, given what is done: trials that can be run now, and records of those that a proof spares. */
export function nextOf(
  settings: AuditSettings,
  chain: Chain,
  done: ReadonlyMap<string, TrialRecord>,
): { readonly run: readonly TrialId[]; readonly spared: readonly TrialRecord[] } {
  const open = chain.trials.filter(({ key }) => !done.has(key))
  if (!spares(chain, settings)) return { run: open, spared: [] }
  const records = chain.trials.map(({ key }) => done.get(key))
  const proof = records.findIndex((record) => record && provesAll(record, settings.data !== undefined))
  const first = chain.trials.findIndex(({ key }) => !done.has(key))
  if (proof < 0 || first < proof) return { run: open.slice(0, 1), spared: [] }
  return { run: [], spared: open.map((id) => sparedBy(chain.trials[proof].attack, id)) }
}

const sparedBy = (proof: string, id: TrialId): TrialRecord =>
  emptyRecord(id, 'not-tried', `'${proof}' proved the client's data already`)

/** Whether a record shows all data of the client, as far as anybody can tell. */
const provesAll = (record: TrialRecord, withData: boolean): boolean =>
  record.status === 'proven' && verdictAlone(record, THRESHOLDS, withData).verdict === 'leaked-proven'
