/** Complex numbers: real and imaginary parts of each. */
export interface Complex {
  readonly re: Float64Array
  readonly im: Float64Array
}

/**
 * The discrete Fourier transform in place, Σₙ xₙ e^(−2πi kn / N), by the radix-2 algorithm of Cooley and Tukey (1965). The inverse
 * has the other sign, and no factor 1/N.
 *
 * @param values N of them, N a power of two
 */
export function fourier({ re, im }: Complex, inverse = false): void {
  const size = re.length
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1
    for (; j & bit; bit >>= 1) j ^= bit
    j ^= bit
    if (i < j) {
      const [a, b] = [re[i], im[i]]
      re[i] = re[j]
      im[i] = im[j]
      re[j] = a
      im[j] = b
    }
  }
  // every root of unity by its own cosine: products of roots lose digits
  const cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size))
  const sines = Float64Array.from(
    { length: size / 2 },
    (_, k) => Math.sin((2 * Math.PI * k) / size) * (inverse ? 1 : -1),
  )
  for (let half = 1; half < size; half *= 2) {
    const step = size / (2 * half)
    for (let start = 0; start < size; start += 2 * half)
      for (let k = 0; k < half; k++) {
        const [c, s] = [cosines[k * step], sines[k * step]]
        const [low, high] = [start + k, start + k + half]
        const re2 = c * re[high] - s * im[high]
        const im2 = s * re[high] + c * im[high]
        re[high] = re[low] - re2
        im[high] = im[low] - im2
        re[low] += re2
        im[low] += im2
      }
  }
}

/** Multiplies each number by the power of another: product ← product · baseⁿ, by repeated squaring. Changes `base`. */
export function timesPower(product: Complex, base: Complex, exponent: number): void {
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) multiply(product, base)
    if (rest > 1) multiply(base, base)
  }
}

function multiply(a: Complex, b: Complex): void {
  for (let k = 0; k < a.re.length; k++) {
    const [ar, ai, br, bi] = [a.re[k], a.im[k], b.re[k], b.im[k]]
    a.re[k] = ar * br - ai * bi
    a.im[k] = ar * bi + ai * br
  }
}
