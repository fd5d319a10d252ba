/**
 * Defences that change what a client shares, the attacker who knows of them, and what differentially private noise spends.
 *
 * @module dlg-ts/defences
 */

export {
  type AccountantName,
  auditMechanism,
  type CanaryAudit,
  type CanaryOptions,
  type EpsilonOptions,
  epsilonOf,
  type GaussianSteps,
  type Mechanism,
  type NoiseOptions,
  noiseMultiplierFor,
  type PrivacyLoss,
  type ReconstructionBound,
  type ReconstructionOptions,
  reconstructionBound,
} from '../accounting'
export { type Defence, defended } from './defence'
