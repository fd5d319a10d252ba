import { dispose, type NamedTensorMap } from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import { recomputedOf } from '../../measure/proof'
import { nonNegative } from '../../numbers/non-negative'
import type { Values } from '../../numbers/values'
import { CUT, type Pause, paced, restBy } from '../contract/pause'
import { explains, type FlooredProof, fittedFactor, type Sharing } from './explained'
import type { SharedTensor } from './floor'
import type { Transformer } from './transformer'

/** Sequences as a batch, held against what was shared. */
export interface Accounted {
  readonly sequences: readonly (readonly number[])[]
  /** Classes; undefined where the loss has none, and where what was shared does not tell them. */
  readonly labels?: readonly number[] | undefined
  readonly proof: FlooredProof
  /** What was shared is this many times the gradient. */
  readonly factor: number
  /** The factor with which it would be proven, where another one was stated. */
  readonly otherwise?: number
}

type Sequences = readonly (readonly number[])[]

/** More sequences than this are not told apart by their gradients. */
const MOST = 24

/** Rounds between the factor and what depends on it: a decoder's last tokens. */
const ROUNDS = 3

/**
 * Holds sequences against what was shared, like {@link bestAccount}. Classes that a factor of the other sign would make other ones are left
 * out where the factor is free: of one sentence and two classes, p − y of one class is a negative multiple of that of the other.
 *
 * @throws CUT
 */
export async function accountFor(
  transformer: Transformer,
  found: Sequences,
  shared: NamedGradients,
  sharing: Sharing,
  scale: 'auto' | number,
  pause: Pause,
  once = false,
): Promise<Accounted | undefined> {
  const best = await bestAccount(transformer, found, shared, sharing, scale, pause, once)
  if (scale !== 'auto' || !best?.proof.proven || best.labels === undefined) return best
  const { labels, sequences, factor } = best
  const isTold = async (): Promise<boolean> => {
    const { accounted: other } = await held(transformer, sequences, shared, sharing, -factor, true, pause)
    return !other.proof.proven || labels.every((label, s) => label === other.labels?.[s])
  }
  // what was proven stays so where there is no time left for this
  const told = await isTold().catch((cut) => {
    if (cut !== CUT) throw cut
    return false
  })
  return told ? best : { ...best, labels: undefined }
}

/**
 * Holds sequences against what was shared. Where each of them once does not explain it, how often each occurs is read off the
 * gradient: it is Σ c_s g_s of the sequences' own gradients, with c_s in proportion to how often s occurs, and 0 for one that
 * does not.
 *
 * @param found inputs of the sequences, as the blocks read them
 * @param once whether each of them occurs once, whatever the gradient says
 * @throws CUT
 */
async function bestAccount(
  transformer: Transformer,
  found: Sequences,
  shared: NamedGradients,
  sharing: Sharing,
  scale: 'auto' | number,
  pause: Pause,
  once: boolean,
): Promise<Accounted | undefined> {
  const signs = scale === 'auto' ? [1, -1] : [scale]
  let best: Accounted | undefined
  const tried = async (inputs: Sequences, start: number): Promise<Held> => {
    const next = await held(transformer, inputs, shared, sharing, start, scale === 'auto', pause)
    const { accounted } = next
    if (!best || accounted.proof.proven || accounted.proof.residual < best.proof.residual) best = accounted
    return next
  }
  for (const start of signs) {
    const { accounted, fitted } = await tried(found, start)
    if (accounted.proof.proven) return best
    if (once) continue
    if (scale !== 'auto') {
      const free = await refitted(transformer, found, shared, sharing, start, fitted, pause)
      if (free.proof.proven) return { ...best!, otherwise: free.factor }
    }
    const pool = transformer.causal ? withBeginnings(found) : found
    if (pool.length < 2 || pool.length > MOST) continue
    const explained = pool === found ? accounted : await explainedAlone(transformer, pool, shared, best!.factor, pause)
    for (const inputs of await counted(transformer, explained, sharing.tensors, pause))
      if ((await tried(inputs, start)).accounted.proof.proven) return best
  }
  return best
}

/** What the transformer makes of sequences, without their gradient. */
async function explainedAlone(
  transformer: Transformer,
  inputs: Sequences,
  shared: NamedGradients,
  factor: number,
  pause: Pause,
) {
  const { gradients, ...explained } = await transformer.explain(inputs, divided(shared, factor), restBy(pause))
  dispose(gradients)
  return explained
}

/**
 * Sequences of a decoder with what they begin with: a sentence that another one begins with is found within it alone, and noise
 * lets one go on after its end. All beginnings where they are few, else none.
 */
function withBeginnings(found: Sequences): Sequences {
  const all = found.flatMap((sequence) => sequence.map((_, t) => sequence.slice(0, sequence.length - t)))
  const once = [...new Map(all.map((sequence) => [sequence.join(), sequence])).values()]
  return once.length <= MOST ? once : found
}

/** A proof with the factor that was taken, and with the one that fits the same gradient best. */
interface Held {
  readonly accounted: Accounted
  readonly fitted: Accounted
}

/** The proof of a batch; a factor that is free is fitted. */
async function held(
  transformer: Transformer,
  inputs: Sequences,
  shared: NamedGradients,
  sharing: Sharing,
  start: number,
  free: boolean,
  pause: Pause,
): Promise<Held> {
  const { stated, fitted } = await heldOnce(transformer, inputs, shared, sharing, start, free, pause)
  return { accounted: stated ?? (await refitted(transformer, inputs, shared, sharing, start, fitted, pause)), fitted }
}

/** One gradient, held against what was shared with the factor it was made for, unless that is free, and with the one that fits best. */
async function heldOnce(
  transformer: Transformer,
  inputs: Sequences,
  shared: NamedGradients,
  sharing: Sharing,
  start: number,
  free: boolean,
  pause: Pause,
): Promise<{ stated: Accounted | undefined; fitted: Accounted }> {
  if (await pause()) throw CUT
  const { gradients: tensors, ...explained } = await transformer.explain(inputs, divided(shared, start), restBy(pause))
  try {
    const gradients = await numbersOf(tensors, sharing.tensors)
    const own = Object.fromEntries(sharing.tensors.map(({ name }) => [name, tensors[name]]))
    const blocks = await Promise.all(([0, 1] as const).map((block) => transformer.projections(block, own)))
    const projections = blocks.flat().map(({ values }) => values)
    const heldBy = async (factor: number): Promise<Accounted> => {
      if (await pause()) throw CUT
      return { ...explained, factor, proof: await paced(explains({ gradients, projections }, sharing, factor), pause) }
    }
    const stated = free ? undefined : await heldBy(start)
    if (stated?.proof.proven) return { stated, fitted: stated }
    const factor = (await paced(fittedFactor(gradients, sharing.tensors), pause)) || start
    return { stated, fitted: stated && rests(factor, start) ? stated : await heldBy(factor) }
  } finally {
    dispose(tensors)
  }
}

/** A factor that moved by less than this part of itself leaves what depends on it as it is. */
const MOVED = 1e-4

const rests = (factor: number, before: number): boolean => Math.abs(factor - before) <= MOVED * Math.abs(factor)

/** Fits the factor, and what depends on it, in turn until a proof holds or the factor rests. */
async function refitted(
  transformer: Transformer,
  inputs: Sequences,
  shared: NamedGradients,
  sharing: Sharing,
  start: number,
  fitted: Accounted,
  pause: Pause,
): Promise<Accounted> {
  let [last, next] = [start, fitted]
  for (let round = 1; round < ROUNDS && !next.proof.proven && !rests(next.factor, last); round++) {
    last = next.factor
    next = (await heldOnce(transformer, inputs, shared, sharing, last, true, pause)).fitted
  }
  return next
}

/** What was shared, without its factor. */
function divided(shared: NamedGradients, factor: number): NamedGradients {
  if (factor === 1) return shared
  const entries = Object.entries(shared).map(([name, tensor]) => {
    const data = 'dataSync' in tensor ? tensor.dataSync<'float32'>() : tensor.data
    const own = new Float32Array(data.length)
    for (let i = 0; i < own.length; i++) own[i] = data[i] / factor
    return [name, { shape: tensor.shape, data: own }] as const
  })
  return Object.fromEntries(entries)
}

/** Numbers of the recomputed tensors that were shared. @throws DlgError `invalid-gradients` for a name or shape the model does not have */
async function numbersOf(found: NamedTensorMap, tensors: readonly SharedTensor[]): Promise<Map<string, Values>> {
  const entries = tensors.map(
    async ({ name, shape }) => [name, (await recomputedOf(found, name, shape)) as Float32Array] as const,
  )
  return new Map<string, Values>(await Promise.all(entries))
}

/** Tensors of more numbers are left out: word tables of large models. */
const ENOUGH = 2e6

/** A sequence whose part is smaller than this, beside the largest, does not occur. */
const ABSENT = 0.15

/** Batches that say how often each sequence occurs, the likeliest first; none where each of them occurs once. */
async function counted(
  transformer: Transformer,
  { sequences, labels }: Pick<Accounted, 'sequences' | 'labels'>,
  tensors: readonly SharedTensor[],
  pause: Pause,
): Promise<Sequences[]> {
  const used = tensors.filter(({ values }) => values.length <= ENOUGH)
  const own: Values[][] = []
  for (const [s, sequence] of sequences.entries()) {
    if (await pause()) throw CUT
    const gradients = await transformer.share([sequence], labels && [labels[s]])
    try {
      const numbers = await numbersOf(gradients, used)
      own.push(used.map(({ name }) => numbers.get(name)!))
    } finally {
      dispose(gradients)
    }
  }
  const shared = used.map(({ values }) => values)
  const products = async (a: readonly Values[], others: readonly (readonly Values[])[]): Promise<number[]> => {
    const out: number[] = []
    for (const b of others) {
      out.push(inner(a, b))
      if (await pause()) throw CUT
    }
    return out
  }
  const gram: number[][] = []
  for (const a of own) gram.push(await products(a, own))
  const parts = nonNegative(gram, await products(shared, own))
  // a mean over predictions gives a sequence weight by its length, a mean over sequences does not
  const times = parts.map((c, s) => (transformer.causal ? c / (sequences[s].length - 1) : c))
  const most = Math.max(...times)
  const present = times.map((t) => t > ABSENT * most)
  const least = Math.min(...times.filter((_, s) => present[s]))
  const inputs = transformer.causal ? sequences.map((sequence) => sequence.slice(0, -1)) : sequences
  const guesses = [1, 2, 3].map((k) => times.map((t, s) => (present[s] ? Math.round((k * t) / least) : 0)))
  // where all occur alike, once each is what was tried before, unless some do not occur
  const news = guesses.filter((counts, i) => i === 0 || counts.some((n) => n % (i + 1) !== 0))
  return news
    .filter((counts) => counts.some((n) => n !== counts[0]))
    .map((counts) => inputs.flatMap((sequence, s) => new Array<readonly number[]>(counts[s]).fill(sequence)))
}

function inner(a: readonly Values[], b: readonly Values[]): number {
  let sum = 0
  for (const [k, values] of a.entries()) for (let i = 0; i < values.length; i++) sum += values[i] * b[k][i]
  return sum
}
