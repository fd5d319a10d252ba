import { deepLeakageFromGradients, type Leakage } from '../attacks/matching/leakage'
import { type LeakageOptions, leakageOptions, MATCHING } from '../attacks/matching/options'
import type { Model } from '../client/model/model'
import type { SharedGradients } from '../client/shared/read-gradients'
import type { SharedUpdate } from '../client/shared/shared-update'
import { DlgError } from '../errors/dlg-error'
import { numberFlag } from '../options/option'
import type { Frame } from '../report/pictures'
import type { Arguments, Options } from './arguments'
import { flagsOf, OWN_DEFAULTS, type Records, readFlags, upTo, without } from './flags'
import { progress } from './progress'
import { BACKENDS, onnxAdvice } from './runtime'
import type { Terminal } from './terminal'
import { CLIENT } from './training'

type ClientName = keyof typeof CLIENT

/** More threads than that are of no use, and a burden. */
const MOST_THREADS = 64

const SEARCH = {
  ...without(MATCHING, 'precision', ...(Object.keys(CLIENT) as ClientName[])),
  concurrency: upTo(MATCHING.concurrency, MOST_THREADS),
} as const satisfies Records

const { labels } = MATCHING

/** The options of an attack on a client that the command plays: how it trains is known, and its labels may be. */
export const PLAYED = {
  ...SEARCH,
  labels: {
    ...labels,
    help: `${labels.help}, or known (the true ones)`,
    flag: {
      ...labels.flag,
      read: (word: string) => (word === 'known' ? word : labels.flag.read(word)),
      right: `known or ${labels.flag.right}`,
    },
  },
} as const satisfies Records

/** The options of an attack on what lies in files. */
export const FROM_FILES = { ...CLIENT, precision: MATCHING.precision, ...SEARCH } as const satisfies Records

const SMOOTHNESS = {
  tv: {
    value: 'WEIGHT',
    help: 'weight of the total variation, which prefers smooth pictures; it takes the place of --priors, and 0 is none',
  },
} as const satisfies Options

export const TIME_LIMIT = {
  'time-limit': {
    value: 'TIME',
    help: 'such as 30s or 5m: ends the search with the best so far, also beside --budget',
  },
} as const satisfies Options

/** Options of every attack on data that are no text. */
export const attackOptions = (command: string, records: Records) =>
  ({
    out: {
      value: 'FOLDER',
      default: `dlg-out/${command}`,
      help: 'where the files go; made if missing, other files in it stay',
    },
    ...flagsOf(records, { seed: OWN_DEFAULTS.seed }),
    ...SMOOTHNESS,
    ...TIME_LIMIT,
    backend: { value: 'NAME', default: 'cpu', help: `of tfjs: ${BACKENDS.join(', ')}` },
    json: { help: 'print the report as JSON instead of lines' },
    help: { help: 'this text' },
  }) satisfies Options

/** What every attack is told. */
export interface AttackSettings {
  readonly out: string
  readonly backend: (typeof BACKENDS)[number]
  readonly json: boolean
  /** What was said of the search; the call decides the rest. */
  readonly options: LeakageOptions
  /** Weight of the total variation, in whichever form suits the data. */
  readonly tv: number | undefined
}

/** What an attack is told on a client that the command plays. */
export interface PlayedSettings extends AttackSettings {
  readonly labels: 'known' | NonNullable<LeakageOptions['labels']>
}

/** @throws DlgError `invalid-option` */
export function playedSettings(args: Arguments): PlayedSettings {
  const { labels = 'joint', ...given } = readFlags(PLAYED, args)
  return { ...attackSettings(args, labels === 'known' ? given : { ...given, labels }), labels }
}

/** Reads what every attack is told. @throws DlgError `invalid-option` */
export function attackSettings(args: Arguments, given: LeakageOptions): AttackSettings {
  const tv = args.read('tv', WEIGHT)
  if (tv !== undefined && given.priors !== undefined)
    throw new DlgError('invalid-option', '--tv and --priors are both given; give one')
  const limited = timeLimit(args, given.budget)
  const options = limited ? { ...given, budget: limited } : given
  // what contradicts itself is told before any file is read
  leakageOptions(options)
  return {
    out: args.text('out')!,
    backend: args.choice('backend', BACKENDS),
    json: args.has('json'),
    options,
    tv,
  }
}

const WEIGHT = numberFlag((v) => v >= 0 && v < Number.POSITIVE_INFINITY, 'a number of at least 0')

type Budget = LeakageOptions['budget']

const { budget: BUDGET } = MATCHING

/** `--budget` and `--time-limit` together. */
export function timeLimit(args: Arguments, budget: Budget): Budget {
  const limit = args.read('time-limit', {
    read: (word) => BUDGET.flag.read(word)?.milliseconds,
    right: 'a time such as 30s or 5m',
  })
  if (limit === undefined) return budget
  if (budget?.milliseconds !== undefined)
    throw new DlgError('invalid-option', '--budget and --time-limit both give a time; give one')
  return { ...budget, milliseconds: limit }
}

/** Runs the attack with progress on stderr, and keeps what the winning restart looked like on its way. */
export async function searchWithProgress(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: LeakageOptions,
  terminal: Terminal,
): Promise<{ leak: Leakage; frames: Frame[] }> {
  const frames: Frame[][] = []
  await onnxAdvice(options.runtime, terminal)
  const shown = progress(terminal)
  try {
    const leak = await deepLeakageFromGradients(model, shared, {
      ...options,
      signal: terminal.signal,
      onIteration(e) {
        frames[e.restart] ??= []
        const kept = frames[e.restart]
        const last = kept[kept.length - 1]?.iteration ?? -1
        // reconstructions change fastest at first, and all steps of a large batch would fill the memory
        if (e.iteration >= Math.max(last + 1, last * 1.08)) kept.push({ iteration: e.iteration, data: e.data() })
        shown.show(e)
      },
    })
    return { leak, frames: frames[leak.restart] }
  } finally {
    shown.end()
  }
}
