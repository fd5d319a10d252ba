import { dispose, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs-core'
import type { Target } from '../../client/target'
import { choice, hasMethod, requireObject } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { requireAttack, requireControl, requireFound, requireOutcome, requireTarget, STATUSES } from './checks'
import { heardBy } from './listener'
import type { ThreatModel } from './threat-model'
import type { TracePoint } from './trace'

/**
 * One published way to read data from what a client shares. Every attack of the registry has this form, and so has one of the
 * caller's own.
 */
export interface Attack<Options extends object = object> {
  /** Stable, in lower case with hyphens. */
  readonly name: string
  /** The paper, with its authors and year. */
  readonly source: string
  /** The most that it can give. */
  readonly leaks: 'data' | 'labels' | 'tokens'
  readonly needs: Assumptions
  /**
   * What tells an attack of your own from another of the same name and functions, such as a version: nobody sees what a function keeps to
   * itself. An audit goes on with the results of the same attack alone.
   */
  readonly settings?: unknown
  /**
   * Refuses options that are wrong whatever the target is. An audit asks before its first trial, so that a slip in its file does not
   * show as a trial that broke down. Left out, options are first seen by `run`.
   *
   * @throws DlgError `invalid-option`, `invalid-data`
   */
  check?(options: Options): void
  /**
   * Why the attack does not apply here, in one sentence with the fact that decided it; undefined where it applies. Cheap: it
   * searches nothing.
   */
  refuses(target: Target, options: Options): Promise<string | undefined>
  /**
   * Runs the attack. Nothing of the target is changed. It ends within 200 ms of an abort, with the best so far.
   *
   * @throws DlgError for a wrong option, before any work
   */
  run(target: Target, options: Options, control: Control): Promise<Outcome>
}

/** What an attacker must know or be allowed for an attack to work, in plain words. */
export interface Assumptions {
  /** What the attacker sees, such as `one gradient`. */
  readonly sees: string
  /** For how many samples it works. */
  readonly batch: string
  /** What the model must be. */
  readonly model: string
  /** What must be known of the labels. */
  readonly labels: string
  /**
   * The least threat model under which a plain gradient is attacked so, of those of Carletti et al. 2025 (`THREAT_MODELS`). An update, whose
   * learning rate and local steps the attacker knows, is C at least.
   */
  readonly threatModel?: ThreatModel
}

/**
 * How an attack ended.
 *
 * - `proven`: what was found re-creates what was shared up to its precision, and is determined by it.
 * - `matched`: what was found re-creates what was shared; whether anything else would too was not examined.
 * - `undetermined`: it re-creates what was shared, and part of it could be otherwise.
 * - `partial`: something leaked, such as labels, tokens or candidates for single samples, and not the whole batch.
 * - `failed`: nothing was found. It is no evidence that what was shared is safe.
 * - `refused`: the attack does not apply; `reason` says why.
 * - `cut`: the budget or the caller ended it first.
 */
export type OutcomeStatus = 'proven' | 'matched' | 'undetermined' | 'partial' | 'failed' | 'refused' | 'cut'

/** Findings of an attack. Their tensors belong to the caller. */
export interface Found {
  /** [samples, ...inputShape] of the first searched input. */
  readonly data?: Tensor
  /** Every searched input by name, where there are several. */
  readonly inputs?: NamedTensorMap
  /** A class for each sample; in the order of `data` where there are data, else in the order of the classes. */
  readonly labels?: readonly number[]
  /** Ids of the tokens that occur, in no order. */
  readonly tokens?: readonly number[]
  /** Token ids of each sequence. */
  readonly sequences?: readonly (readonly number[])[]
}

/** The evidence behind a status. */
export interface Evidence {
  /**
   * ‖g − g*‖ / ‖g*‖ of what was found, over everything that was shared, after the factor that fits best where none is known. A search that was
   * cut short may have none.
   */
  readonly residual?: number
  /** The residual up to which what was shared cannot tell two gradients apart. */
  readonly floor?: number
  /** How sure the rule is, from 0 to 1, where there is no residual. */
  readonly confidence?: number
  /** Dimensions of the span that was read, where the attack reads one. */
  readonly rank?: number
}

/** What every attack returns. */
export interface Outcome {
  readonly attack: string
  readonly status: OutcomeStatus
  /** The status in one sentence, with the fact that decided it. */
  readonly reason: string
  readonly found: Found
  readonly evidence: Evidence
  readonly work: Work
  /** Frees the tensors. */
  dispose(): void
}

/** The cost of a run. */
export interface Work {
  /** Evaluations of the objective; 0 for attacks in closed form. */
  readonly evaluations: number
  readonly milliseconds: number
  /** The runtime of the evaluations, such as `onnx:cpu`; undefined where nothing was evaluated. */
  readonly runtime?: string
  readonly seed: number
  /**
   * How a search converged, where the attack is one: the best relative loss after so many evaluations, and at the end, in at most 40 points.
   * It is of the start that the result comes from, and of the smoothed network while a network with kinks is smoothed.
   */
  readonly trace?: readonly TracePoint[]
}

/** What the caller controls while an attack runs: seed, budget, abort and progress. */
export interface Control {
  /** Default 1234. */
  readonly seed?: number
  readonly budget?: { readonly evaluations?: number; readonly milliseconds?: number }
  readonly signal?: AbortSignal
  /** Told how far the attack is. */
  readonly onProgress?: (progress: AttackProgress) => void
}

/** How far an attack is. */
export interface AttackProgress {
  readonly attack: string
  /** From 0 to 1, where it is known. */
  readonly part?: number
  readonly words: string
  /** Evaluations so far, where it is a search. */
  readonly evaluations?: number
  /** The relative loss of a search's best point: 1 for nothing matched, 0 for everything. */
  readonly relativeLoss?: number
  /** The data of a search's best point so far, [samples, ...inputShape] of the first searched input; a copy. */
  data?(): Float32Array
}

/** For the `check` of an attack without options. @throws DlgError `invalid-option` */
export function noOptions(options: object): void {
  const [name] = Object.keys(options)
  if (name !== undefined) throw new DlgError('invalid-option', `there is no option '${name}'; the attack has none`)
}

/** The seed where the caller gives none. */
export const SEED = 1234

/** Puts an outcome together: times it from `started`, and frees its tensors as one. @throws DlgError `invalid-option` for an end without a status and a reason */
export function outcome(
  attack: string,
  started: number,
  control: Control,
  end: Pick<Outcome, 'status' | 'reason'> &
    Partial<Pick<Outcome, 'found' | 'evidence'>> & { readonly work?: Partial<Work> },
): Outcome {
  requireControl(control)
  requireObject('the end', end, '{status, reason}', 'invalid-option')
  const { seed = SEED } = control
  const { found = {}, evidence = {}, work = {}, ...said } = end
  choice('status', said.status, STATUSES)
  if (typeof attack !== 'string' || typeof said.reason !== 'string' || typeof started !== 'number')
    throw new DlgError('invalid-option', 'an outcome must have the name of its attack, when it started, and a reason')
  requireFound(attack, found)
  requireObject('evidence', evidence, 'an object of numbers', 'invalid-option')
  requireObject('work', work, 'an object', 'invalid-option')
  const tensors = [found.data, ...Object.values(found.inputs ?? {})].filter((tensor) => tensor !== undefined)
  return {
    attack,
    ...said,
    found,
    evidence,
    work: { evaluations: 0, seed, milliseconds: performance.now() - started, ...work },
    dispose: () => dispose([...new Set(tensors)]),
  }
}

/**
 * Runs an attack, and turns a refusal into an outcome.
 *
 * @throws DlgError `invalid-option`, `invalid-data` for what is no target, `aborted` where the signal was aborted before, and what
 * the attack throws
 */
export async function runAttack<Options extends object>(
  attack: Attack<Options>,
  target: Target,
  options: Options,
  control: Control = {},
): Promise<Outcome> {
  requireAttack(attack)
  requireTarget(target)
  requireObject('options', options, 'an object', 'invalid-option')
  requireControl(control)
  attack.check?.(options)
  if (control.signal?.aborted) throw new DlgError('aborted', 'the signal was aborted before the attack began')
  const started = performance.now()
  const reason = await attack.refuses(target, options)
  if (reason !== undefined) return outcome(attack.name, started, control, { status: 'refused', reason })
  return heardBy(
    control.onProgress,
    async (tell) => {
      const ended = await attack.run(target, options, tell ? { ...control, onProgress: tell } : control)
      try {
        requireOutcome(attack.name, ended)
      } catch (error) {
        if (hasMethod(ended, 'dispose')) ended.dispose()
        throw error
      }
      return ended
    },
    (ended) => ended.dispose(),
  )
}
