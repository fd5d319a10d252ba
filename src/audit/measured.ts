import type { Found } from '../attacks/contract/attack'
import { type PreprocessingOptions, undoPreprocessing } from '../client/preprocessing'
import { psnrIn } from '../measure/baselines'
import { mse } from '../measure/psnr'
import { measureSamples } from '../measure/samples'
import type { Truth } from './client'
import type { MeasuredOriginal, MeasuredTokens, TrialRecord } from './record'

/** A PSNR that JSON can hold: that of equal data is infinite. */
const MOST_PSNR = 1000

/** How close what was found is to the truth. */
export function measuredOf(
  found: Found,
  truth: Truth,
  names: readonly string[],
  {
    range,
    preprocessing,
  }: { readonly range: readonly [number, number]; readonly preprocessing?: PreprocessingOptions },
): Pick<TrialRecord, 'measured' | 'labels' | 'tokens'> {
  const tokens = tokensOf(found, truth)
  const labels = labelsOf(found, truth)
  const data = found.data?.dataSync()
  const size = truth.samples[0].length
  const measured =
    data && data.length > 0 && data.length % size === 0
      ? originalsOf(
          Array.from({ length: data.length / size }, (_, i) => Float32Array.from(data.slice(i * size, (i + 1) * size))),
          truth,
          names,
          range,
          preprocessing,
        )
      : undefined
  return { ...(measured && { measured }), ...(labels && { labels }), ...(tokens && { tokens }) }
}

function originalsOf(
  found: readonly Float32Array[],
  { samples, shape, decoys }: Truth,
  names: readonly string[],
  range: readonly [number, number],
  preprocessing: PreprocessingOptions | undefined,
): MeasuredOriginal[] {
  const seen = (values: Float32Array): Float32Array =>
    preprocessing ? undoPreprocessing(values, preprocessing) : values
  const [originals, others] = [samples.map(seen), decoys.map(seen)]
  const candidates = found.map(seen)
  // an attack may find some samples of a batch, or more candidates than samples: each original has the nearest
  const nearest = (original: Float32Array): Float32Array =>
    candidates.reduce((best, one) => (mse(one, original) < mse(best, original) ? one : best))
  const reconstructions = candidates.length === originals.length ? candidates : originals.map(nearest)
  const width: readonly [number, number] = preprocessing?.range ?? range
  const options = { range: width, ...(shape.length > 0 && { shape }) }
  return measureSamples(originals, reconstructions, options).samples.map((sample, i) => {
    const around = [...others, ...originals.filter((_, k) => k !== i)]
    const finite = (psnr: number): number => Math.min(psnr, MOST_PSNR)
    const guesses: [string, number][] = sample.baselines.map(({ name, psnr }) => [name, finite(psnr)])
    if (around.length > 0)
      guesses.push(['decoy', Math.max(...around.map((one) => finite(psnrIn(width, one, sample.original))))])
    const own = mse(sample.reconstruction, sample.original)
    return {
      ...{ sample: names[i], slot: sample.slot, mse: sample.mse, psnr: finite(sample.psnr) },
      ...(sample.ssim !== undefined && { ssim: sample.ssim }),
      baselines: Object.fromEntries(guesses),
      rank: 1 + around.filter((one) => mse(sample.reconstruction, one) < own).length,
      among: around.length + 1,
    }
  })
}

/** Classes that are right, whatever their order: a gradient does not tell the order of a batch. */
function labelsOf({ labels }: Found, { classes }: Truth): TrialRecord['labels'] | undefined {
  if (!labels || !classes) return undefined
  const left = [...classes]
  const right = labels.filter((label) => {
    const at = left.indexOf(label)
    if (at >= 0) left.splice(at, 1)
    return at >= 0
  }).length
  return { right, of: classes.length, classes: new Set(classes).size }
}

function tokensOf({ tokens, sequences }: Found, { samples }: Truth): MeasuredTokens | undefined {
  const claimed = new Set([...(tokens ?? []), ...(sequences?.flat() ?? [])])
  if (claimed.size === 0) return undefined
  const truth = samples.map((sample) => Array.from(sample))
  const there = new Set(truth.flat())
  const left = truth.map(String)
  const exact = (sequences ?? []).filter((sequence) => {
    const at = left.indexOf(String([...sequence]))
    if (at >= 0) left.splice(at, 1)
    return at >= 0
  }).length
  const right = [...claimed].filter((token) => there.has(token)).length
  return { exact, sequences: samples.length, right, of: there.size, claimed: claimed.size }
}
