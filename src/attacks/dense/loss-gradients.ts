import { finiteList, idList, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { pseudoInverse } from '../../numbers/singular-vectors'
import { atOnce, type Steps } from '../../numbers/steps'
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
 * @throws DlgError `invalid-gradients`, `invalid-data` for sizes that do not fit
 * @returns rows of ∂L/∂z, one of length `classes` for each sample wanted
 */
export function lossGradients(
  weightGradient: Values,
  features: readonly Values[],
  wanted?: readonly number[],
): Float64Array[] {
  return atOnce(lossGradientSteps(weightGradient, features, wanted))
}

/** Like {@link lossGradients}, in small parts. */
export function* lossGradientSteps(
  weightGradient: Values,
  features: readonly Values[],
  wanted: readonly number[] = Array.isArray(features) ? features.map((_, s) => s) : [],
): Steps<Float64Array[]> {
  finiteList('weightGradient', weightGradient, 'invalid-gradients')
  if (!Array.isArray(features) || features.length === 0)
    throw new DlgError(
      'invalid-data',
      `features is ${show(features)}; it must be a list with the features of each sample`,
    )
  for (const [s, feature] of features.entries()) finiteList(`the features of sample ${s}`, feature)
  const width = features[0].length
  const fits = width > 0 && features.every((f) => f.length === width) && weightGradient.length % width === 0
  if (!fits || weightGradient.length === 0)
    throw new DlgError(
      'invalid-gradients',
      `features have ${features.map((f) => f.length)} numbers and the gradient ${weightGradient.length}; it must be [classes, width] with the width of the features`,
    )
  idList('wanted', wanted)
  const strange = wanted.find((s) => s >= features.length)
  if (strange !== undefined)
    throw new DlgError(
      'invalid-data',
      `sample ${strange} is wanted; it must be one of the ${features.length} there are`,
    )
  const classes = weightGradient.length / width
  const inverse = yield* pseudoInverse(features.map((f) => Float64Array.from(f as ArrayLike<number>)))
  const found: Float64Array[] = []
  for (const s of wanted) {
    const column = Float64Array.from(inverse, (row) => row[s])
    const out = new Float64Array(classes)
    for (let c = 0; c < classes; c++) {
      let sum = 0
      for (let j = 0; j < width; j++) sum += weightGradient[c * width + j] * column[j]
      out[c] = sum
    }
    found.push(out)
    yield
  }
  return found
}

/** The class a cross-entropy was trained on: where ∂L/∂z is least. */
export const targetOf = (lossGradient: Float64Array): number =>
  lossGradient.reduce((least, v, c) => (v < lossGradient[least] ? c : least), 0)
