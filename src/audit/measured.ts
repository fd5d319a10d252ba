import type { Found } from '../attacks/contract/attack'
import { type PreprocessingOptions, undoPreprocessing } from '../client/preprocessing'
import { psnrIn } from '../measure/baselines'
import { mse } from '../measure/psnr'
import { measureSamples, wholePsnr } from '../measure/samples'
import { random } from '../numbers/random'
import type { Steps } from '../numbers/steps'
import type { Truth } from './client'
import { cellsOf } from './measured-cells'
import type { MeasuredLabels, MeasuredOriginal, MeasuredTokens, TrialRecord } from './record'
import { THRESHOLDS } from './verdict'

/** A PSNR that JSON can hold: that of equal data is infinite. */
const MOST_PSNR = 1000

/** How close what was found is to the truth, in steps. */
export function* measuredOf(
  found: Found,
  truth: Truth,
  names: readonly string[],
  {
    range,
    preprocessing,
  }: { readonly range: readonly [number, number]; readonly preprocessing?: PreprocessingOptions },
): Steps<Pick<TrialRecord, 'measured' | 'labels' | 'tokens' | 'cells'>> {
  const tokens = tokensOf(found, truth)
  const labels = labelsOf(found, truth)
  const data = found.data?.dataSync()
  const size = truth.samples[0].length
  const rows =
    data && data.length > 0 && data.length % size === 0
      ? Array.from({ length: data.length / size }, (_, i) => Float32Array.from(data.slice(i * size, (i + 1) * size)))
      : undefined
  const { table, samples, decoys } = truth
  if (rows && table) return { cells: cellsOf(rows, samples, decoys, table, names), ...(labels && { labels }) }
  const measured = rows && (yield* originalsOf(rows, truth, names, range, preprocessing))
  return { ...(measured && { measured }), ...(labels && { labels }), ...(tokens && { tokens }) }
}

function* originalsOf(
  found: readonly Float32Array[],
  { samples, shape, decoys }: Truth,
  names: readonly string[],
  range: readonly [number, number],
  preprocessing: PreprocessingOptions | undefined,
): Steps<MeasuredOriginal[]> {
  const seen = (values: Float32Array): Float32Array =>
    preprocessing ? undoPreprocessing(values, preprocessing) : values
  const originals = samples.map(seen)
  const others: Float32Array[] = []
  for (const decoy of decoys) {
    others.push(seen(decoy))
    yield
  }
  const candidates = found.map(seen)
  const error = (one: Float32Array, original: Float32Array): number => finite(mse(one, original), Number.MAX_VALUE)
  // an attack may find some samples of a batch, or more candidates than samples: each original has the nearest
  const nearest = (original: Float32Array): number =>
    candidates.reduce((best, one, i) => (error(one, original) < error(candidates[best], original) ? i : best), 0)
  const slots =
    candidates.length === originals.length
      ? candidates.map((_, i) => i)
      : originals.map((original) => nearest(original))
  const width: readonly [number, number] = preprocessing ? (preprocessing.range ?? [0, 1]) : range
  const options = { range: width, ...(shape.length > 0 && { shape }) }
  const paired = measureSamples(
    originals,
    slots.map((slot) => candidates[slot]),
    options,
  ).samples
  const measured: MeasuredOriginal[] = []
  for (const [i, sample] of paired.entries()) {
    const around = [...others, ...originals.filter((_, k) => k !== i)]
    const decibels = (psnr: number): number => Math.min(finite(psnr, psnr > 0 ? MOST_PSNR : 0), MOST_PSNR)
    const guesses: [string, number][] = sample.baselines.map(({ name, psnr }) => [name, decibels(psnr)])
    const own = error(sample.reconstruction, sample.original)
    let [closest, rank] = [Number.NEGATIVE_INFINITY, 1]
    for (const one of around) {
      const psnr = decibels(psnrIn(width, one, sample.original))
      // a sample that is there twice is no guess of itself
      if (psnr < THRESHOLDS.indistinguishable) closest = Math.max(closest, psnr)
      if (error(sample.reconstruction, one) < own) rank++
      yield
    }
    if (closest > Number.NEGATIVE_INFINITY) guesses.push(['decoy', closest])
    measured.push({
      ...{ sample: names[i], slot: slots[sample.slot], mse: own, psnr: decibels(wholePsnr(sample, width)) },
      ...(sample.ssim !== undefined && Number.isFinite(sample.ssim) && { ssim: sample.ssim }),
      baselines: Object.fromEntries(guesses),
      rank,
      among: around.length + 1,
    })
  }
  return measured
}

/** A number that JSON can hold. */
const finite = (value: number, otherwise: number): number => (Number.isFinite(value) ? value : otherwise)

/** Classes that are right, whatever their order: a gradient does not tell the order of a batch. */
function labelsOf({ labels }: Found, { classes, population }: Truth): MeasuredLabels | undefined {
  if (!labels || !classes) return undefined
  const right = commonOf(labels, classes)
  const urn = [...population!, ...Array.from({ length: Math.max(...population!) + 1 }, (_, label) => label)]
  const { uniform } = random(classes.length, right)
  const guess = () => classes.map(() => urn[Math.floor(uniform() * urn.length)])
  const as = Array.from({ length: GUESSES }, guess).filter((labels) => commonOf(labels, classes) >= right).length
  return { right, of: classes.length, classes: new Set(classes).size, chance: as / GUESSES }
}

/** Guesses of labels that are drawn. */
const GUESSES = 1000

/** How many labels two lists have in common, each as often as both have it. */
function commonOf(labels: readonly number[], classes: readonly number[]): number {
  const left = new Map<number, number>()
  for (const label of classes) left.set(label, (left.get(label) ?? 0) + 1)
  return labels.filter((label) => {
    const count = left.get(label) ?? 0
    left.set(label, count - 1)
    return count > 0
  }).length
}

function tokensOf({ tokens, sequences }: Found, { samples, decoys }: Truth): MeasuredTokens | undefined {
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
  const guess = commonest(decoys, claimed.size).filter((token) => there.has(token)).length
  return { exact, sequences: samples.length, right, of: there.size, claimed: claimed.size, guess }
}

/** The tokens that occur most often, the lower id first among equals. */
function commonest(sequences: readonly Float32Array[], count: number): number[] {
  const counts = new Map<number, number>()
  for (const token of sequences.flatMap((sequence) => [...sequence])) counts.set(token, (counts.get(token) ?? 0) + 1)
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || a - b)
    .slice(0, count)
    .map(([token]) => token)
}
