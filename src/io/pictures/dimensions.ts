import { DlgError } from '../../errors/dlg-error'
import { MAX_PIXELS } from './raster'

/** Refuses what a file's header claims before anything of that size is allocated. */
export function checkDimensions(width: number, height: number, name: string): void {
  if (width === 0 || height === 0) {
    throw new DlgError('invalid-file', `${name}: the image is ${width}x${height}, should have pixels`)
  }
  if (width * height > MAX_PIXELS) {
    throw new DlgError(
      'invalid-file',
      `${name}: the image is ${width}x${height}, should be at most ${MAX_PIXELS / 1e6} megapixels`,
    )
  }
}
