import { Tensor } from '@tensorflow/tfjs-core'
import { THREAT_MODELS, type ThreatModel } from '../attacks/contract/threat-model'
import { targetOptions } from '../client/target-options'
import type { Defence } from '../defences/defence'
import type { Attacker, AuditSettings } from './options'

/** What the attacker of a trial is taken to know, and how the client trained: a verdict holds for these alone. */
export interface TrialAssumptions {
  /** By Carletti et al. 2025; left out for an attack of the caller's own that states none. */
  readonly threatModel?: ThreatModel
  /** Samples of the client. */
  readonly batchSize: number
  /** How batch norms and dropout ran while the client trained. */
  readonly mode: 'evaluation' | 'training'
  /** Whether the attacker was given the labels. */
  readonly labels: 'given' | 'not given'
  /** Steps of training behind what is shared. */
  readonly steps: number
  /** How far the model is trained, in the words of the audit. */
  readonly stage?: string
}

/** Assumptions of the trials of one attack under one defence. */
export function assumptionsOf(
  { training, stage }: AuditSettings,
  { attack, options }: AuditSettings['attacks'][number],
  defence: Defence | undefined,
  attacker: Attacker,
): TrialAssumptions {
  const { batchSize, update, training: inTraining } = targetOptions(training)
  const given = (options as { readonly labels?: unknown }).labels
  // learning rates and local steps are training details, and so are the parameters of a defence
  const threatModel = raised(attack.needs.threatModel, update !== undefined || (defence !== undefined && attacker === 'adaptive')) // biome-ignore format: one line
  return {
    ...(threatModel && { threatModel }),
    batchSize,
    mode: inTraining ? 'training' : 'evaluation',
    labels: isGiven(given) ? 'given' : 'not given',
    steps: update?.steps.length ?? 1,
    ...(stage !== undefined && { stage }),
  }
}

/** Whether classes or targets are among the labels of an attack: a list, a tensor, `known`, or these for some output. */
function isGiven(labels: unknown): boolean {
  if (typeof labels === 'number') return true
  if (typeof labels !== 'object' || labels === null) return false
  if ('decide' in labels) return 'name' in labels && labels.name === 'known'
  if (labels instanceof Tensor || ArrayBuffer.isView(labels) || 'targets' in labels) return true
  return Object.values(labels).some(isGiven)
}

/** The threat model with training details. */
const raised = (letter: ThreatModel | undefined, details: boolean): ThreatModel | undefined =>
  details && (letter === 'A' || letter === 'B') ? 'C' : letter

/** Whether a line of a journal has assumptions that can be shown. */
export function isAssumptions(value: unknown): value is TrialAssumptions {
  if (typeof value !== 'object' || value === null) return false
  const { threatModel, batchSize, mode, labels, steps, stage } = value as Readonly<Record<string, unknown>>
  return (
    (threatModel === undefined || (typeof threatModel === 'string' && Object.hasOwn(THREAT_MODELS, threatModel))) &&
    (mode === 'evaluation' || mode === 'training') &&
    (labels === 'given' || labels === 'not given') &&
    [batchSize, steps].every(Number.isInteger) &&
    (stage === undefined || typeof stage === 'string')
  )
}
