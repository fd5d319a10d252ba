/** Sequences of a decoder and of an encoder: `exactSequences`, whose claim is `exact`, and sentences by search, whose claims are `exact` and `converged`. */
import * as tf from '@tensorflow/tfjs-core'
import { gradientsOf } from '../../src'
import { exactSequences, type SequenceOptions } from '../../src/analytic'
import { random } from '../../src/numbers/random'
import {
  deepLeakageFromText,
  type GptModel,
  type Head,
  maskTokens,
  nextTokenGradients,
  randomBert,
  randomGpt,
  type TextLeakageOptions,
  type TextModel,
  textGradients,
  transformerOf,
} from '../../src/text'
import { bfloat16, eachTensor, float16, type Gradient, int8, type Judged, type Kind, pruned } from './set-up'

const SIZES = { vocabularySize: 150, hidden: 48, heads: 4, layers: 2, intermediate: 96, positions: 12 }
/** Half of the set-ups have no answer, and take all of it; what has one takes less than a second. */
const BUDGET = { milliseconds: 1500 }
const WORD_TABLES = ['wte.weight', 'embeddings.word_embeddings.weight']

type Sentences = readonly (readonly number[])[]
type Transforming = TextModel | GptModel

const isDecoder = (model: Transforming): boolean => !('head' in model)

const decoder = (seed: number, std = 0.02): GptModel => randomGpt({ ...SIZES, seed, std })
const encoder = (seed: number, head: Head = 'mean', std = 0.05): TextModel =>
  randomBert({ ...SIZES, seed, head, std, classes: 3 })

/** Sentences of words from 5 on; 0 is padding. */
function sentences(seed: number, count: number, length = 6, ragged = false): number[][] {
  const draw = random(seed, 0x73656e)
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: length - (ragged ? i % 3 : 0) }, () => 5 + Math.floor(draw.uniform() * 140)),
  )
}

const plain = (tensors: tf.NamedTensorMap): Gradient =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, t]) => [name, { shape: t.shape, data: t.dataSync<'float32'>().slice() }]),
  )

async function sharedBy(model: Transforming, batch: Sentences, labels?: readonly number[]): Promise<Gradient> {
  if (!('head' in model)) return plain(await nextTokenGradients(model, batch))
  const ids = tf.tensor2d(batch.map((s) => [...s]))
  return plain(await gradientsOf(model.overTokens(batch[0].length), ids, [...(labels ?? batch.map((_, i) => i % 3))]))
}

/** Normal noise of a part of each tensor's root mean square. */
const noisy = (gradient: Gradient, level: number, seed: number): Gradient => {
  const draw = random(seed, 0x6e6f69)
  return eachTensor(gradient, (data) => {
    const size = level * Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length)
    return data.map((v) => v + size * draw.normal())
  })
}

const times = (gradient: Gradient, factor: number): Gradient =>
  eachTensor(gradient, (data) => data.map((v) => factor * v))

interface Told {
  readonly model: Transforming
  readonly gradient: Gradient
  readonly truth: Sentences
  readonly options?: SequenceOptions
}

const text = (all: Sentences): string => all.map(String).sort().join(' | ')

async function exactly(made: Promise<Told>): Promise<Judged> {
  const { model, gradient, truth, options = {} } = await made
  const result = await exactSequences(transformerOf(model), gradient, { budget: BUDGET, ...options })
  const right = text(result.sequences) === text(truth)
  const says = `${result.status}: ${result.reason ?? ''} ${text(result.sequences)} for ${text(truth)}`
  if (result.status === 'exact') return { says, verdict: right ? 'right' : 'false claim' }
  // what is at the floor by its own numbers may not be said to differ
  const differs = result.status === 'unproven' && result.proof && result.proof.residual > result.proof.floor
  return { says, verdict: right && differs && !/scale/.test(result.reason ?? '') ? 'false failure' : 'unclaimed' }
}

const changed: Record<
  string,
  (gradient: Gradient, seed: number) => Pick<Told, 'gradient' | 'options'> & Partial<Told>
> = {
  honest: (gradient) => ({ gradient }),
  'float16, not stated': (gradient) => ({ gradient: eachTensor(gradient, (data) => data.map(float16)) }),
  'bfloat16, stated': (gradient) => ({
    gradient: eachTensor(gradient, (data) => data.map(bfloat16)),
    options: { precision: 'bfloat16' },
  }),
  'int8, stated': (gradient) => ({ gradient: eachTensor(gradient, int8), options: { precision: 'int8' } }),
  'noise of 1e-4': (gradient, seed) => ({ gradient: noisy(gradient, 1e-4, seed) }),
  'noise of 1e-2': (gradient, seed) => ({ gradient: noisy(gradient, 1e-2, seed) }),
  'noise of 0.1': (gradient, seed) => ({ gradient: noisy(gradient, 0.1, seed) }),
  'noise as large as the gradient': (gradient, seed) => ({ gradient: noisy(gradient, 1, seed) }),
  pruned: (gradient) => ({ gradient: eachTensor(gradient, pruned) }),
  'signs alone': (gradient) => ({ gradient: eachTensor(gradient, (data) => data.map(Math.sign)) }),
  'a factor of 0.3': (gradient) => ({ gradient: times(gradient, 0.3) }),
  'a factor that is fitted, of the other sign': (gradient) => ({
    gradient: times(gradient, -2),
    options: { scale: 'auto' },
  }),
  'one sequence too many': (gradient) => ({ gradient, options: { batchSize: 3 } }),
  'told as one': (gradient) => ({ gradient, options: { batchSize: 1 } }),
  'a tensor a percent too large': (gradient) => {
    const name = Object.keys(gradient).at(-2)!
    // no sentences have this gradient
    return { gradient: { ...gradient, [name]: times({ of: gradient[name] }, 1.01).of }, truth: [] }
  },
}

const kinds: Kind[] = []
const add = (attack: string, name: string, run: (seed: number) => Promise<Judged>): void => {
  kinds.push({ attack, name, run })
}

for (const [kind, make] of [
  ['decoder', decoder],
  ['encoder', encoder],
] as const) {
  for (const [name, change] of Object.entries(changed))
    add(`sequences, ${kind}`, name, (seed) =>
      exactly(
        (async () => {
          const model = make(seed)
          const truth = sentences(seed, 2)
          return { model, truth, ...change(await sharedBy(model, truth), seed) }
        })(),
      ),
    )
  const more: Record<string, (seed: number) => Promise<Told>> = {
    'another model': async (seed) => {
      const truth = sentences(seed, 2)
      return { model: make(seed), truth: [], gradient: await sharedBy(make(seed + 77), truth) }
    },
    'a step behind': async (seed) => {
      const model = make(seed)
      const gradient = await sharedBy(model, sentences(seed, 2))
      // the attacker has the weights before the step that the gradient follows
      const moved = make(seed)
      for (const [name, { data, shape }] of Object.entries(gradient))
        (moved.weights as Record<string, tf.Tensor>)[name] = tf.sub(
          moved.weights[name],
          tf.mul(0.1, tf.tensor(data, shape)),
        )
      return { model: moved, truth: [], gradient }
    },
    'words in another order': async (seed) => {
      const [model, other] = [make(seed), make(seed)]
      const table = WORD_TABLES.find((name) => name in other.weights)!
      ;(other.weights as Record<string, tf.Tensor>)[table] = tf.reverse(other.weights[table], 0)
      // the client's rows are those of its own words
      return { model: other, truth: [], gradient: await sharedBy(model, sentences(seed, 2)) }
    },
    'one sentence three times, another once': async (seed) => {
      const [one, two] = sentences(seed, 2)
      const [model, truth] = [make(seed), [one, one, one, two]]
      return { model, truth, gradient: await sharedBy(model, truth, [1, 1, 1, 2]) }
    },
    'sentences that share words and places': async (seed) => {
      const [[a, b, c, d, e, f]] = sentences(seed, 1)
      const truth = [
        [a, b, c, d, e, f],
        [a, c, b, d, f, e],
        [b, a, c, e, d, f],
      ]
      const model = make(seed)
      return { model, truth, gradient: await sharedBy(model, truth) }
    },
    'a word again and again': async (seed) => {
      const [model, truth] = [make(seed), [Array(6).fill(9), [9, 9, 9, 7, 9, 9]]]
      return { model, truth, gradient: await sharedBy(model, truth) }
    },
    'padded to one length': async (seed) => {
      const truth = sentences(seed, 3, 6, true).map((s) => [...s, ...Array(6 - s.length).fill(0)])
      const model = make(seed)
      return { model, truth, gradient: await sharedBy(model, truth) }
    },
    'about as many words as the model is wide': async (seed) => {
      const [model, truth] = [make(seed), sentences(seed, 7, 7)]
      return { model, truth, gradient: await sharedBy(model, truth) }
    },
    'two blocks with the same weights': async (seed) => {
      const model = make(seed)
      const [first, second] = isDecoder(model) ? ['h.0.', 'h.1.'] : ['encoder.layer.0.', 'encoder.layer.1.']
      const weights = model.weights as Record<string, tf.Tensor>
      const names = Object.keys(weights).filter((name) => name.startsWith(first))
      const twin = (name: string) => name.replace(first, second)
      for (const name of names) weights[twin(name)] = weights[name]
      const gradient = await sharedBy(model, sentences(seed, 2))
      // tied weights have one gradient, the sum
      for (const name of names) {
        const data = gradient[name].data.map((v, i) => v + gradient[twin(name)].data[i])
        gradient[name] = { ...gradient[name], data }
        gradient[twin(name)] = { ...gradient[name], data }
      }
      return { model, truth: [], gradient }
    },
  }
  for (const [name, made] of Object.entries(more)) add(`sequences, ${kind}`, name, (seed) => exactly(made(seed)))
}
/** A batch of an encoder that is put together by what the loss sends back, and what it must not be put together from. */
const GROUP = 3
const ofGroup = (seed: number) => {
  const [model, truth] = [encoder(seed), sentences(seed, GROUP)]
  return { model, truth }
}

/** Normal numbers with the norm of each tensor. */
const drawn = (gradient: Gradient, seed: number): Gradient => {
  const draw = random(seed, 0x64726177)
  const norm = (data: Float32Array) => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0))
  return eachTensor(gradient, (data) => {
    const numbers = data.map(() => draw.normal())
    const factor = norm(data) / norm(numbers)
    return numbers.map((v) => v * factor)
  })
}

/** Every weight moved by normal numbers of a part of its root mean square. */
function moved(model: TextModel, part: number, seed: number): TextModel {
  const draw = random(seed, 0x6d6f76)
  const weights = model.weights as Record<string, tf.Tensor>
  for (const [name, weight] of Object.entries(weights)) {
    const data = weight.dataSync<'float32'>()
    const size = part * Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length)
    weights[name] = tf.tensor(
      data.map((v) => v + size * draw.normal()),
      weight.shape,
    )
  }
  return model
}

const groups: Record<string, (seed: number) => Promise<Told>> = {
  'a batch': async (seed) => {
    const { model, truth } = ofGroup(seed)
    return { model, truth, gradient: await sharedBy(model, truth) }
  },
  'normal numbers of the same norms': async (seed) => {
    const { model, truth } = ofGroup(seed)
    return { model, truth: [], gradient: drawn(await sharedBy(model, truth), seed) }
  },
  'the gradient of another model': async (seed) => {
    const { model, truth } = ofGroup(seed)
    return { model, truth: [], gradient: await sharedBy(encoder(seed + 77), truth) }
  },
  'weights a thousandth off': async (seed) => {
    const { model, truth } = ofGroup(seed)
    const gradient = await sharedBy(model, truth)
    return { model: moved(model, 1e-3, seed), truth: [], gradient }
  },
  'told as one too few': async (seed) => {
    const { model, truth } = ofGroup(seed)
    return { model, truth, gradient: await sharedBy(model, truth), options: { batchSize: GROUP - 1 } }
  },
  'told as one too many': async (seed) => {
    const { model, truth } = ofGroup(seed)
    return { model, truth, gradient: await sharedBy(model, truth), options: { batchSize: GROUP + 1 } }
  },
}
for (const [name, group] of Object.entries(groups))
  for (const level of [0, 1e-3])
    add('sequences, grouped', level > 0 ? `${name}, noise of 1e-3` : name, (seed) =>
      exactly(
        (async () => {
          const told = await group(seed)
          return level > 0 ? { ...told, gradient: noisy(told.gradient, level, seed) } : told
        })(),
      ),
    )

/** A tensor that is not the one of the sentences, however it was shared. */
const anotherTensor: Record<string, (gradient: Gradient) => Gradient> = {
  'the word table times -3': (gradient) => {
    const name = WORD_TABLES.find((own) => own in gradient)!
    return { ...gradient, [name]: times({ of: gradient[name] }, -3).of }
  },
  'a vector of the other sign': (gradient) => {
    const name = Object.keys(gradient).findLast((own) => /bias$/.test(own))!
    return { ...gradient, [name]: times({ of: gradient[name] }, -1).of }
  },
  'two tensors exchanged': (gradient) => {
    const [one, two] = Object.keys(gradient).filter((name) => /(ln_2|output\.LayerNorm)\.weight$/.test(name))
    return { ...gradient, [one]: gradient[two], [two]: gradient[one] }
  },
}
for (const [kind, make] of [
  ['decoder', decoder],
  ['encoder', encoder],
] as const)
  for (const [name, change] of Object.entries(anotherTensor))
    for (const level of [0, 1e-3])
      add(`sequences, ${kind}`, level > 0 ? `${name}, noise of 1e-3` : name, (seed) =>
        exactly(
          (async () => {
            const [model, truth] = [make(seed), sentences(seed, 2)]
            const gradient = change(await sharedBy(model, truth))
            // no sentences have this gradient
            return { model, truth: [], gradient: level > 0 ? noisy(gradient, level, seed) : gradient }
          })(),
        ),
      )

add('sequences, decoder', 'sentences of several lengths', (seed) =>
  exactly(
    (async () => {
      const [model, truth] = [decoder(seed), sentences(seed, 3, 7, true)]
      return { model, truth, gradient: await sharedBy(model, truth) }
    })(),
  ),
)
add('sequences, decoder', 'a sentence that another begins with', (seed) =>
  exactly(
    (async () => {
      const [one, two] = sentences(seed, 2)
      const [model, truth] = [decoder(seed), [one, one.slice(0, 4), two]]
      return { model, truth, gradient: await sharedBy(model, truth) }
    })(),
  ),
)

add('sequences, encoder', 'one that the model is sure of', (seed) =>
  exactly(
    (async () => {
      const [model, truth] = [encoder(seed), sentences(seed, 2)]
      const weights = model.weights as Record<string, tf.Tensor>
      weights['classifier.bias'] = tf.tensor1d([10, 0, 0])
      const gradient = await sharedBy(model, truth, [0, 1])
      return { model, truth, gradient: times(gradient, 2), options: { scale: 2 } }
    })(),
  ),
)

// One sentence by search.

const SMALL = { vocabularySize: 120, hidden: 24, heads: 2, layers: 1, intermediate: 32, positions: 12 }
const small = (seed: number, head: Head): TextModel => randomBert({ ...SMALL, seed, head, std: 0.1, classes: 3 })

interface Searched {
  readonly model: TextModel
  readonly gradient: Gradient
  /** Undefined where no sentence has this gradient. */
  readonly truth?: readonly number[]
  readonly label?: number
  readonly options?: TextLeakageOptions
}

async function searched(made: Promise<Searched>): Promise<Judged> {
  const { model, gradient, truth, label, options = {} } = await made
  const leak = await deepLeakageFromText(model, gradient, { iterations: 25, start: 'span', ...options })
  const right =
    String(leak.tokens) === String(truth) && (label === undefined || leak.label === undefined || leak.label === label)
  const says = `${leak.status}${leak.exact ? ', exact' : ''}, relative loss ${leak.relativeLoss.toExponential(1)}, ${leak.tokens} for ${truth}, label ${leak.label} for ${label}`
  if (leak.exact || leak.status === 'converged') return { says, verdict: right ? 'right' : 'false claim' }
  return { says, verdict: 'unclaimed' }
}

async function oneSentence(seed: number, head: Head = 'mean', change: (g: Gradient) => Gradient = (g) => g) {
  const model = small(seed, head)
  const [words] = sentences(seed, 1, 7)
  const truth = words.map((id) => id % 110)
  const sample = head === 'mlm' ? maskTokens(truth, 4, 1, 0.3) : { tokens: truth, label: seed % 3 }
  const gradient = change(plain((await textGradients(model, sample)) as tf.NamedTensorMap))
  return { model, truth, gradient, ...(head === 'mlm' ? {} : { label: seed % 3 }) }
}

const withoutWords = ({ 'embeddings.word_embeddings.weight': _, ...rest }: Gradient): Gradient => rest

const searches: Record<string, (seed: number) => Promise<Searched>> = {
  honest: (seed) => oneSentence(seed),
  'from noise': async (seed) => ({ ...(await oneSentence(seed)), options: { start: 'normal' } }),
  'a masked language model': (seed) => oneSentence(seed, 'mlm'),
  'read at its first word': (seed) => oneSentence(seed, 'first'),
  'two sentences told as one': async (seed) => {
    const model = small(seed, 'mean')
    const truth = sentences(seed, 2, 7).map((s) => s.map((id) => id % 110))
    return { model, gradient: await sharedBy(model, truth, [seed % 3, (seed + 1) % 3]) }
  },
  'two sentences told as one, one label, words not shared': async (seed) => {
    const model = small(seed, 'mean')
    const truth = sentences(seed, 2, 7).map((s) => s.map((id) => id % 110))
    return { model, gradient: withoutWords(await sharedBy(model, truth, [1, 1])) }
  },
  'another model': async (seed) => ({
    ...(await oneSentence(seed)),
    model: small(seed + 77, 'mean'),
    truth: undefined,
  }),
  'a wrong label given': async (seed) => {
    const made = await oneSentence(seed)
    return { ...made, label: undefined, truth: undefined, options: { label: (seed + 1) % 3 } }
  },
  'one word too short': async (seed) => ({ ...(await oneSentence(seed)), truth: undefined, options: { length: 6 } }),
  'one word too long': async (seed) => ({ ...(await oneSentence(seed)), truth: undefined, options: { length: 8 } }),
  'a factor of 0.3': (seed) => oneSentence(seed, 'mean', (g) => times(g, 0.3)),
  'the opposite sign': async (seed) => ({
    ...(await oneSentence(seed, 'mean', (g) => times(g, -1))),
    truth: undefined,
    label: undefined,
  }),
  bfloat16: (seed) => oneSentence(seed, 'mean', (g) => eachTensor(g, (data) => data.map(bfloat16))),
  'noise of 1e-3': (seed) => oneSentence(seed, 'mean', (g) => noisy(g, 1e-3, seed)),
  'noise of 0.1': (seed) => oneSentence(seed, 'mean', (g) => noisy(g, 0.1, seed)),
  pruned: (seed) => oneSentence(seed, 'mean', (g) => eachTensor(g, pruned)),
  'a word table that is not shared': (seed) => oneSentence(seed, 'mean', withoutWords),
}
for (const [name, made] of Object.entries(searches)) add('a sentence by search', name, (seed) => searched(made(seed)))

export const sequenceKinds: readonly Kind[] = kinds
