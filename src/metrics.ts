/**
 * How close a reconstruction is to the original.
 *
 * @module dlg-ts/metrics
 */

export { meanSquaredError } from './measure/mse'
export { psnr } from './measure/psnr'
export { ssim } from './measure/ssim'
