import { deepLeakageFromGradients, type Leakage } from '../attacks/matching/leakage'
import type { LeakageOptions } from '../attacks/matching/options'
import type { Model } from '../client/model/model'
import type { SharedGradients } from '../client/shared/read-gradients'
import type { SharedUpdate } from '../client/shared/shared-update'
import type { Frame } from '../report/pictures'
import type { Arguments, Options } from './arguments'
import { BACKENDS } from './backend'
import { progress } from './progress'
import type { Terminal } from './terminal'

/** Options of every attack. */
export const attackOptions = (command: string) =>
  ({
    out: {
      value: 'FOLDER',
      default: `dlg-out/${command}`,
      help: 'where the files go; made if missing, other files in it stay',
    },
    seed: { value: 'N', default: '1', help: 'of the network and of the search; the same seed gives the same result' },
    labels: {
      value: 'HOW',
      default: 'joint',
      help: 'how the attacker comes by the labels: joint (searched for with the data), infer (closed form), known',
    },
    optimizer: { value: 'NAME', default: 'lbfgs', help: 'lbfgs, adam' },
    distance: { value: 'NAME', default: 'l2', help: 'between gradients: l2, cosine, balanced (for deep networks)' },
    preset: {
      value: 'NAME',
      default: 'robust',
      help: 'robust, or paper: the published recipe, which fails more often',
    },
    iterations: { value: 'N', default: '300', help: 'most steps of one restart, of up to 20 evaluations each' },
    restarts: { value: 'N', help: 'most starts; the first that converges ends the search (default 4; with paper 1)' },
    concurrency: {
      value: 'N',
      default: '1',
      help: 'restarts at the same time, on threads of their own with onnxruntime-node; the result is the same',
    },
    runtime: {
      value: 'NAME',
      default: 'auto',
      help: 'auto, onnx (fast; needs onnxruntime-node), tfjs, reference (float64, slow)',
    },
    backend: { value: 'NAME', default: 'cpu', help: `of tfjs: ${BACKENDS.join(', ')}` },
    json: { help: 'print the report as JSON instead of lines' },
    help: { help: 'this text' },
  }) satisfies Options

/** What every attack is told, however it comes by the labels. */
export interface SearchSettings {
  readonly out: string
  readonly seed: number
  readonly runtime: 'auto' | 'onnx' | 'tfjs' | 'reference'
  readonly backend: (typeof BACKENDS)[number]
  readonly json: boolean
  readonly preset: 'robust' | 'paper'
  readonly optimizer: 'lbfgs' | 'adam'
  readonly distance: 'l2' | 'cosine' | 'balanced'
  readonly iterations: number
  readonly restarts: number
  readonly concurrency: number
}

export interface AttackSettings extends SearchSettings {
  readonly labels: 'joint' | 'infer' | 'known'
}

/** @throws DlgError `invalid-option` */
export const attackSettings = (args: Arguments): AttackSettings => ({
  ...searchSettings(args),
  labels: args.choice('labels', ['joint', 'infer', 'known']),
})

/** @throws DlgError `invalid-option` */
export function searchSettings(args: Arguments): SearchSettings {
  const preset = args.choice('preset', ['robust', 'paper'])
  return {
    out: args.text('out')!,
    seed: args.whole('seed', 0),
    runtime: args.choice('runtime', ['auto', 'onnx', 'tfjs', 'reference']),
    backend: args.choice('backend', BACKENDS),
    json: args.has('json'),
    preset,
    optimizer: args.choice('optimizer', ['lbfgs', 'adam']),
    distance: args.choice('distance', ['l2', 'cosine', 'balanced']),
    iterations: args.whole('iterations', 1),
    restarts: args.has('restarts') ? args.whole('restarts', 1) : preset === 'paper' ? 1 : 4,
    concurrency: args.whole('concurrency', 1, 64),
  }
}

/** How the samples of a batch move. */
export const BATCH_UPDATE = {
  'batch-update': {
    value: 'HOW',
    default: 'together',
    help: 'how a batch moves: together, or one-by-one: one sample a step, as in the paper; needs more evaluations',
  },
} as const satisfies Options

/** @throws DlgError `invalid-option` */
export const batchUpdate = (args: Arguments): 'together' | 'one-by-one' =>
  args.choice('batch-update', ['together', 'one-by-one'])

/** Runs the attack with progress on stderr, and keeps what the winning restart looked like on its way. */
export async function attack(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: LeakageOptions,
  settings: SearchSettings,
  terminal: Terminal,
): Promise<{ leak: Leakage; frames: Frame[] }> {
  const frames: Frame[][] = []
  const { seed, runtime, preset, optimizer, distance, iterations, restarts, concurrency } = settings
  const shown = progress(terminal, { iterations, restarts })
  try {
    const leak = await deepLeakageFromGradients(model, shared, {
      ...{ seed, runtime, preset, optimizer, distance, iterations, restarts, concurrency },
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
