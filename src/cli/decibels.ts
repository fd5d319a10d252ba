/** A PSNR that JSON can hold: that of equal data is infinite. */
const MOST = 1000

/** The `psnr` of a sample or a batch, and those of its baselines, as JSON can hold them. */
export function decibels<T extends { readonly psnr: number }>(measured: T): T {
  const { baselines } = measured as { readonly baselines?: readonly { readonly psnr: number }[] }
  return {
    ...measured,
    psnr: Math.min(measured.psnr, MOST),
    ...(baselines && { baselines: baselines.map((baseline) => decibels(baseline)) }),
  }
}
