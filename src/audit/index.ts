/**
 * The audit of what clients share: a grid of attacks, defences and clients, and what it lets one say.
 *
 * @module dlg-ts/audit
 */

export type { AcceptedFinding, IdleReason } from './accepted'
export type { TrialAssumptions } from './assumptions'
export { type AuditControl, type AuditProgress, type AuditRun, audit } from './audit'
export { type Journal, journalLine, parseJournal, type RunAbout, type RunHeader, runHeader, runOf } from './journal'
export {
  exitCodeOf,
  FAIL_ON,
  type FailOn,
  type JudgedClient,
  type JudgedDefence,
  type JudgedRow,
  type Judgement,
  judge,
} from './judge'
export { type KnownLeak, withoutKnown } from './known'
export type { Attacker, AuditAttack, AuditData, AuditOptions } from './options'
export type { Chain, Plan } from './plan'
export type { MeasuredCells, MeasuredLabels, MeasuredOriginal, MeasuredTokens, TrialId, TrialRecord } from './record'
export { type StaticFinding, type StaticOptions, staticFindings } from './static-findings'
export { type AuditVerdict, type JudgedTrial, THRESHOLDS, type Thresholds, VERDICTS } from './verdict'
