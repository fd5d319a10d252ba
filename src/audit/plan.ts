import { Tensor } from '@tensorflow/tfjs-core'
import { type Attack, attacks } from '../attacks'
import { CUT, pauses, restBy } from '../attacks/contract/pause'
import { openModel } from '../client/model/open-model'
import { readWeights } from '../client/shared/read-gradients'
import { type Defence, identityOf } from '../defences/defence'
import { DlgError } from '../errors/dlg-error'
import { assumptionsOf } from './assumptions'
import { requireLabelsOfModel, requireUpdatesOfModel } from './client'
import { digestOf as digestInPieces } from './digest'
import type { Attacker, AuditSettings } from './options'
import type { TrialId } from './record'
import { topologyOf } from './topology'

/** Trials that are run one after the other, the cheapest attack first: a proof ends them. */
export interface Chain {
  /** Position of the client's data or update. */
  readonly client: number
  /** Undefined: what is shared is attacked as it is. */
  readonly defence: Defence | undefined
  readonly attacker: Attacker
  /** In the order of the attacks. */
  readonly trials: readonly TrialId[]
}

/** Everything that an audit tries. */
export interface Plan {
  /** Hash of all trials, the names of the samples, and whether the undefended gradient counts: audits of one plan can share a run. */
  readonly key: string
  readonly chains: readonly Chain[]
  /** Whether the undefended gradient is a row of the audit, or the control alone. */
  readonly undefended: boolean
  /** Whether the truth is known. */
  readonly withData: boolean
}

/** Version of what a trial computes: results under another one are not those of the same trial. */
const VERSION = 8

/**
 * The grid of an audit. The undefended gradient comes first, as the control. What a client would stumble over, whichever it is, is found
 * here, before any trial.
 *
 * @throws DlgError `aborted` by the signal; `invalid-data` for labels, and `invalid-gradients` for updates, that do not fit the model
 */
export async function planOf(settings: AuditSettings, signal?: AbortSignal): Promise<Plan> {
  await requireLabelsOfModel(settings)
  const rest = restBy(pauses(() => !signal?.aborted))
  try {
    await requireUpdatesOfModel(settings, rest)
    return await planWith(settings, rest)
  } catch (error) {
    if (error === CUT) throw new DlgError('aborted', 'the signal was aborted before the first trial')
    throw error
  }
}

async function planWith(settings: AuditSettings, rest: () => Promise<void>): Promise<Plan> {
  const digestOf = (value: unknown) => digestInPieces(value, rest)
  const { model, attacks: chosen, evaluations, seed, training, dataRange, undefended, data, stage } = settings
  const opened = openModel(model)
  // tfjs renames the weights of a model that is loaded twice
  const weights = [...(await readWeights(opened.weights, ({ name }) => name)).values()]
  const { runtime: _, ...trained } = training
  await rest()
  const shared = await digestOf([
    VERSION,
    opened.name,
    topologyOf(settings, opened),
    opened.inputs,
    weights,
    trained,
    evaluations,
    seed,
    dataRange,
    data?.table,
    // records say it
    stage,
  ])
  const clients = await clientsOf(settings, digestOf)
  const rows = rowsOf(settings)
  const chains = await Promise.all(
    rows.flatMap(({ defence, attacker }) =>
      clients.map(async ({ samples, hash }, client): Promise<Chain> => {
        const [name, description] = [defence?.name ?? 'none', defence?.description ?? 'no defence']
        const done = defence && identityOf(defence)
        const trials = chosen.map(
          async ({ attack, options }): Promise<TrialId> => ({
            key: await digestOf([shared, hash, done, attacker, attack.name, options, ownOf(attack)]),
            ...{ client, samples, attack: attack.name, defence: name, description, attacker },
            assumes: assumptionsOf(settings, { attack, options }, defence, attacker),
          }),
        )
        return { client, defence, attacker, trials: await Promise.all(trials) }
      }),
    ),
  )
  const keys = chains.flatMap(({ trials }) => trials.map((trial) => trial.key))
  const key = await digestOf([keys, clients.map(({ samples }) => samples), undefended])
  return { key, chains, undefended, withData: data !== undefined }
}

/** What can be seen of an attack of the caller's own. */
const ownOf = (attack: Attack<object>): unknown =>
  Object.values<unknown>(attacks).includes(attack) ? undefined : attack

/** Defence and attacker of each row. */
function rowsOf({ defences, attackers }: AuditSettings): { defence: Defence | undefined; attacker: Attacker }[] {
  return [
    { defence: undefined, attacker: 'adaptive' },
    ...defences.flatMap((defence) => attackers.map((attacker) => ({ defence, attacker }))),
  ]
}

async function clientsOf(
  { data, updates, training }: AuditSettings,
  digestOf: (value: unknown) => Promise<string>,
): Promise<{ readonly samples: readonly string[]; readonly hash: string }[]> {
  const clients: { samples: readonly string[]; hash: string }[] = []
  if (updates) {
    for (const [name, update] of Object.entries(updates))
      clients.push({ samples: [name], hash: await digestOf(update) })
    return clients
  }
  const { x, labels, names } = data!
  const size = training.batchSize ?? 1
  const each = x.size / x.shape[0]
  const values = x.dataSync()
  for (let from = 0; from < x.shape[0]; from += size) {
    const to = from + size
    const batch = values.subarray(from * each, to * each)
    clients.push({ samples: names.slice(from, to), hash: await digestOf([batch, rowsFrom(labels, from, to)]) })
  }
  return clients
}

/** Some of the labels, as plain numbers. */
function rowsFrom(labels: (AuditSettings['data'] & object)['labels'], from: number, to: number): unknown {
  if (!(labels instanceof Tensor)) return Array.from(labels as ArrayLike<unknown>).slice(from, to)
  const each = labels.size / labels.shape[0]
  return labels.dataSync().slice(from * each, to * each)
}
