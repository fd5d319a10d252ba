import { Matrix, pseudoInverse } from 'ml-matrix'
import type { Values } from '../../runtime/runtime'

/**
 * ∂L/∂z of every sample, from the gradient of the layer z = W f and the features f that it read.
 *
 * ∂W = Σ_s ∂z_s f_sᵀ is linear in ∂z: with independent features, ∂z = ∂W F⁺. Of a cross-entropy ∂z_s is a positive
 * multiple of p − y, so that its only negative entry is the target (Zhao, Mopuri, Bilen 2020, one sample at a time).
 *
 * @param weightGradient [classes, width]
 * @param features [samples, width], at most `width` samples
 * @param wanted the samples whose ∂z is wanted; default all
 * @returns rows of ∂L/∂z, one of length `classes` for each sample wanted
 */
export function lossGradients(
  weightGradient: Values,
  features: readonly Values[],
  wanted: readonly number[] = features.map((_, s) => s),
): Float64Array[] {
  const width = features[0].length
  const classes = weightGradient.length / width
  const inverse = pseudoInverse(new Matrix(features.map((f) => Array.from(f as ArrayLike<number>))))
  return wanted.map((s) => {
    const column = inverse.getColumn(s)
    const out = new Float64Array(classes)
    for (let c = 0; c < classes; c++) {
      let sum = 0
      for (let j = 0; j < width; j++) sum += weightGradient[c * width + j] * column[j]
      out[c] = sum
    }
    return out
  })
}

/** The class a cross-entropy was trained on: where ∂L/∂z is least. */
export const targetOf = (lossGradient: Float64Array): number =>
  lossGradient.reduce((least, v, c) => (v < lossGradient[least] ? c : least), 0)
