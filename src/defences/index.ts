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
export type { Random } from '../numbers/random'
export { type ClippingOptions, clipping, type DpSgd, type DpSgdOptions, dpSgd } from './clipping'
export { type QuantisedOptions, type QuantisedType, quantised, signs } from './coarse'
export { composed, type Defence, type DefenceMatching, defended } from './defence'
export { gaussianNoise, laplaceNoise, type NoiseSize } from './noise'
export { type PartOptions, pruning, topK, withheld } from './sparse'
export { type Utility, utilityOf } from './utility'
