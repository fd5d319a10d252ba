export {
  type AccountantName,
  type EpsilonOptions,
  epsilonOf,
  type NoiseOptions,
  noiseMultiplierFor,
  type PrivacyLoss,
} from './accountant'
export { auditMechanism, type CanaryAudit, type CanaryOptions, type Mechanism } from './canaries'
export { type ReconstructionBound, type ReconstructionOptions, reconstructionBound } from './gaussian'
export type { GaussianSteps } from './rdp'
