import type { Evidence, OutcomeStatus } from '../attacks/contract/attack'
import type { TrialAssumptions } from './assumptions'
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
  /** What the attacker is taken to know, and how the client trained. Runs of older versions have none. */
  readonly assumes?: TrialAssumptions
}

/** One original beside what was found of it. */
export interface MeasuredOriginal {
  readonly sample: string
  /** Which of the reconstructions it is. */
  readonly slot: number
  /** In squares of the data's unit; the largest float64 where a reconstruction has numbers that are not finite. */
  readonly mse: number
  /** In dB, with the width of the range as the peak; 1000 where the two are equal, 0 where numbers are not finite. */
  readonly psnr: number
  readonly ssim?: number
  /**
   * PSNR of what one gets without any gradient: `gray`, `mean`, and `decoy`, the sample of the audit's other data that is closest to this
   * original. Data from which it cannot be told (40 dB or more) are no guess but the same sample again. No decoy where there are no others.
   */
  readonly baselines: Readonly<Record<string, number>>
  /** 1 where no other sample of the data is closer to the reconstruction than the original; of `among` samples. */
  readonly rank: number
  readonly among: number
}

/** Labels that were found, beside those of the client, whatever their order. */
export interface MeasuredLabels {
  readonly right: number
  readonly of: number
  /** Different classes of the client. */
  readonly classes: number
  /**
   * Part of guesses that have at least as many right: as many labels as the client has, drawn from those of all clients and one of each
   * class up to the largest.
   */
  readonly chance?: number
}

/** One record of a table beside what was found of it. */
export interface MeasuredCells {
  readonly sample: string
  /** Which of the records that were found it is. */
  readonly slot: number
  /** Cells that are right (the same word, or a number within 0.319 standard deviations, as in TabLeak), of how many. */
  readonly right: number
  readonly of: number
  /** Cells that the commonest word, or the median, of each column of the audit's data gets right: a guess without a gradient. */
  readonly guess: number
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
  /** How many of the client's are among as many of the commonest tokens of the other data: a guess without a gradient. */
  readonly guess?: number
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
  /**
   * How a search converged: the best relative loss after some evaluations, at most 40 points. 1 is nothing matched, 0 everything; the
   * client's own data have the square of `floor`.
   */
  readonly trace?: readonly (readonly [evaluations: number, relativeLoss: number])[]
  /** The residual that the client's own data have, as far as the attacker knows: of float32, of a type, or of noise. */
  readonly floor?: number
  /** With data: how close each original was reconstructed. */
  readonly measured?: readonly MeasuredOriginal[]
  /** With data, where labels were found: how many are those of the client. */
  readonly labels?: MeasuredLabels
  readonly tokens?: MeasuredTokens
  /** With data that are a table, in place of `measured`: how much of each record is right. */
  readonly cells?: readonly MeasuredCells[]
  /** With data: cosine of what is shared with the raw gradient, and the largest relative error of a tensor that is not of zeros. */
  readonly utility?: { readonly cosine: number; readonly relativeError: number }
  /** What was found: numbers of [samples, …] in row-major order. Not in the journal, which names a file of it. */
  readonly found?: { readonly shape: readonly number[]; readonly file?: string; readonly data?: Float32Array }
}
