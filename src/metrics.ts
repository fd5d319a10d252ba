export { meanSquaredError } from './measure/mse'
export { psnr } from './measure/psnr'
export { ssim } from './measure/ssim'
