import type { Control, Outcome } from '../attacks'
import { attack as runAttack } from '../attacks'
import { listening } from '../attacks/contract/listener'
import { paced, pauses } from '../attacks/contract/pause'
import type { Target } from '../client/target'
import { floorOf, MOST_TOLERANCE } from '../defences/attacker'
import { defendedUnlessZeros, zerosAlone } from '../defences/defence'
import { utilityOf } from '../defences/utility'
import { DlgError } from '../errors/dlg-error'
import { random } from '../numbers/random'
import type { Values } from '../numbers/values'
import type { AuditClient, Truth } from './client'
import { measuredOf } from './measured'
import type { AuditSettings } from './options'
import type { Chain } from './plan'
import type { TrialId, TrialRecord } from './record'

/** What an attacker of one chain sees, and what the defence left of the gradient; or why there is nothing to attack. */
export type Seen =
  | { readonly target: Target; readonly utility?: TrialRecord['utility'] }
  | { readonly status: 'refused' | 'error'; readonly reason: string }

/** What an attacker of a chain sees, and the truth where it is known. */
export interface Open {
  readonly truth?: Truth
  readonly seen: Seen
}

/** Puts the defence of a chain over what a client shares. Its random numbers depend on seed, client and defence alone. */
export function seenBy({ defence, attacker, client }: Chain, { target }: AuditClient, seed: number): Seen {
  if (!defence) return { target }
  const refused = defence.refuses?.(target)
  if (refused !== undefined) return { status: 'refused', reason: `the defence cannot be applied here: ${refused}` }
  const words = [...`${defence.name} ${defence.description}`].map((letter) => letter.codePointAt(0)!)
  const draw = Math.floor(random(seed, client, ...words).uniform() * 2 ** 32)
  let shared: Target | undefined
  try {
    shared = defendedUnlessZeros(target, defence, { seed: draw, adaptive: attacker === 'adaptive' })
  } catch (error) {
    // one defence that breaks down here does not end the others
    if (!(error instanceof DlgError)) throw error
    return { status: 'error', reason: error.message }
  }
  if (shared === undefined) return { status: 'refused', reason: zerosAlone(defence) }
  const received = receivedOf(target, shared)
  const { cosine, relativeErrors } = utilityOf(target.gradients, received)
  // what is added to a tensor of zeros has no relative error, and JSON no word for it
  return { target: shared, utility: { cosine, relativeError: Math.max(0, ...relativeErrors.filter(Number.isFinite)) } }
}

/** What reaches the server: a tensor that is withheld is as one of zeros to it. */
function receivedOf(target: Target, shared: Target): Values[] {
  const sent = new Map(shared.trained.map(({ name }, i) => [name, shared.gradients[i]]))
  return target.trained.map(({ name }, i) => sent.get(name) ?? target.gradients[i].map(() => 0))
}

/**
 * Runs one trial.
 *
 * @returns its record; undefined where the signal ended it
 */
export async function runTrial(
  settings: AuditSettings,
  chain: Chain,
  id: TrialId,
  { truth, seen }: Open,
  control: Pick<Control, 'signal' | 'onProgress'>,
): Promise<TrialRecord | undefined> {
  const started = performance.now()
  if (!('target' in seen)) return emptyRecord(id, seen.status, seen.reason)
  const { evaluations, seed, dataRange, training } = settings
  const { attack, options } = settings.attacks.find(({ attack: { name } }) => name === id.attack)!
  const known =
    chain.attacker === 'adaptive' && attack.name === 'gradient-matching'
      ? chain.defence?.matching?.(seen.target)
      : undefined
  // a defence of the caller's own may state more noise than there is of what was shared
  const drowned = (known?.tolerance ?? 0) > MOST_TOLERANCE ? { tolerance: MOST_TOLERANCE } : {}
  const budget = { evaluations }
  const { signal } = control
  const heard = listening(control.onProgress)
  let outcome: Outcome | undefined
  try {
    const given = {
      ...(attack.name === 'gradient-matching' && { dataRange: [...dataRange] }),
      ...known,
      ...drowned,
      ...options,
    }
    outcome = await inferring(attack.name, given, (chosen) =>
      runAttack(attack, seen.target, chosen, { signal, onProgress: heard.tell, seed, budget }),
    )
    // an aborted trial is no result; one whose budget is spent is
    if (signal?.aborted) return undefined
    const { status, reason, evidence, work, found } = outcome
    const told = training.preprocessing === undefined ? {} : { preprocessing: training.preprocessing }
    const pause = pauses(() => !control.signal?.aborted)
    const measured = truth && (await paced(measuredOf(found, truth, id.samples, { range: dataRange, ...told }), pause))
    const data = found.data && { shape: found.data.shape, data: Float32Array.from(found.data.dataSync()) }
    return {
      ...emptyRecord(id, status, reason),
      ...{ evidence, evaluations: work.evaluations, milliseconds: performance.now() - started },
      ...(work.runtime !== undefined && { runtime: work.runtime }),
      ...(work.trace && { trace: work.trace }),
      floor: Math.sqrt(floorOf(seen.target)),
      ...measured,
      ...(seen.utility && { utility: seen.utility }),
      ...(data && { found: data }),
    }
  } catch (error) {
    // what the caller's listener throws is no failure of the attack
    heard.check()
    if (signal?.aborted) return undefined
    if (!(error instanceof DlgError)) throw error
    // such as token ids, which a search cannot move
    if (error.code === 'invalid-model') return emptyRecord(id, 'refused', error.message)
    return { ...emptyRecord(id, 'error', error.message), milliseconds: performance.now() - started }
  } finally {
    outcome?.dispose()
  }
}

/**
 * Gradient matching with labels in closed form, and with labels that are searched where there are none in closed form: what an
 * attacker does who is not told the labels.
 */
async function inferring(
  attack: string,
  options: Readonly<Record<string, unknown>>,
  run: (options: object) => Promise<Outcome>,
): Promise<Outcome> {
  if (attack !== 'gradient-matching' || options.labels !== undefined) return run(options)
  try {
    return await run({ ...options, labels: 'infer' })
  } catch (error) {
    if (!(error instanceof DlgError) || error.code !== 'labels') throw error
    return run(options)
  }
}

/** A record of a trial in which nothing was computed. */
export const emptyRecord = (id: TrialId, status: TrialRecord['status'], reason: string): TrialRecord => ({
  ...{ type: 'trial', ...id, status, reason, evidence: {}, evaluations: 0, milliseconds: 0 },
})
