/**
 * How close a reconstruction is to the original.
 *
 * @module dlg-ts/metrics
 */

export { type Baseline, baselines, type MeasureOptions } from './measure/baselines'
export { meanSquaredError, mse, psnr } from './measure/psnr'
export { type Rouge, rouge } from './measure/rouge'
export {
  type MeasuredBatch,
  type MeasuredSample,
  measureSamples,
  type PairedSample,
  pairSamples,
} from './measure/samples'
export { type Image, ssim } from './measure/ssim'
export {
  ALIKE,
  type Closeness,
  type LeakageStatus,
  MARGIN,
  type Status,
  type Verdict,
  type VerdictName,
  verdictOf,
} from './measure/verdict'
