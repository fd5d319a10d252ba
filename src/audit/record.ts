import type { Evidence, OutcomeStatus } from '../attacks/contract/attack'
import type { Attacker } from './options'

/** One cell of the grid: an attack on what one client shared, under one defence, by one attacker. */
export interface TrialId {
  /** Hash of everything that the trial depends on: model, data, training, attack, defence, attacker, evaluations and seed. */
  readonly key: string
  /** Which client: a batch of the data, or an update. */
  readonly client: number
  /** Names of the samples of that client, or the name of the update. */
  readonly samples: readonly string[]
  readonly attack: string
  /** `none`, or the name of the defence. */
  readonly defence: string
  /** The defence with its parameters, in words; `no defence` for the undefended gradient. */
  readonly description: string
  readonly attacker: Attacker
}

/** One original beside what was found of it. */
export interface MeasuredOriginal {
  readonly sample: string
  /** Which reconstruction of the batch it is. */
  readonly slot: number
  /** In squares of the data's unit. */
  readonly mse: number
  /** In dB, with the width of the range as the peak; 1000 where the two are equal. */
  readonly psnr: number
  readonly ssim?: number
  /**
   * PSNR of what one gets without any gradient: `gray`, `mean`, and `decoy`, the sample of the audit's other data that is closest to this
   * original. No decoy where there are no other data.
   */
  readonly baselines: Readonly<Record<string, number>>
  /** 1 where no other sample of the data is closer to the reconstruction than the original; of `among` samples. */
  readonly rank: number
  readonly among: number
}

/** Tokens that were found, beside those of the originals. */
export interface MeasuredTokens {
  /** Sequences that were found whole and in order. */
  readonly exact: number
  readonly sequences: number
  /** Different tokens of the originals that were found, of how many, and how many were claimed. */
  readonly right: number
  readonly of: number
  readonly claimed: number
}

/** One trial, done. It is plain data: a line of a run's journal. */
export interface TrialRecord extends TrialId {
  readonly type: 'trial'
  /** How the attack ended, or `error` where it threw. */
  readonly status: OutcomeStatus | 'error' | 'not-tried'
  /** The status in one sentence. */
  readonly reason: string
  readonly evidence: Evidence
  readonly evaluations: number
  readonly milliseconds: number
  readonly runtime?: string
  /** The residual that the client's own data have, as far as the attacker knows: of float32, of a type, or of noise. */
  readonly floor?: number
  /** With data: how close each original was reconstructed. */
  readonly measured?: readonly MeasuredOriginal[]
  /** With data, where labels were found: how many are those of the client, of how many. */
  readonly labels?: { readonly right: number; readonly of: number; readonly classes: number }
  readonly tokens?: MeasuredTokens
  /** With data: cosine of what is shared with the raw gradient, and the largest relative error of a tensor. */
  readonly utility?: { readonly cosine: number; readonly relativeError: number }
  /** What was found: numbers of [samples, …] in row-major order. Not in the journal, which names a file of it. */
  readonly found?: { readonly shape: readonly number[]; readonly file?: string; readonly data?: Float32Array }
}
