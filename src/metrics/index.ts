export { meanSquaredError } from './mse'
export { psnr } from './psnr'
export { ssim } from './ssim'
