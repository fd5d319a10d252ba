import type { NamedTensorMap } from '@tensorflow/tfjs-core'
import * as tf from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import type { GptModel } from '../../models/gpt'
import type { LlamaModel } from '../../models/llama'
import type { TextModel } from '../../models/text-model'
import { flat, squaredNorm } from '../../numbers/values'
import type { Explained } from '../dager/transformer'
import { classGradients } from './class-gradients'
import { nextTokenGradients } from './next-token'
import { gradientOf } from './shared-text'

/** Gradients of single sequences that are computed at most. */
const MOST = 256

/** Last tokens that are tried for each sequence and round. */
const TRIES = 6

/** Rounds over all sequences. */
const ROUNDS = 5

/** ‖what is left‖ / ‖gradient‖ up to which nothing is left. */
const ENOUGH = 1e-5

/** The numbers of all tensors that were shared, in one order. */
type Flat = Float64Array

/** What is called between the steps of an explanation, where nobody asks for it. */
export const goOn = async (): Promise<void> => {}

/** Gradients of single sequences that were computed already. */
export type Memory = (key: string, compute: () => Promise<Flat>) => Promise<Flat>

/** Numbers that are remembered at most. */
const ROOM = 2e7

/** A memory for each list of shared names; it forgets everything when it is full. */
export function memories(): (shared: NamedGradients) => Memory {
  const known = new Map<string, Flat>()
  let held = 0
  return (shared) => async (sequence, compute) => {
    const key = `${sequence} of ${Object.keys(shared)}`
    const found = known.get(key)
    if (found) return found
    const computed = await compute()
    held += computed.length
    if (held > ROOM) {
      known.clear()
      held = computed.length
    }
    known.set(key, computed)
    return computed
  }
}

/**
 * The class of each sequence where the classifier's gradient was not shared: the gradient of a batch is the mean of those of its
 * sequences, so every class of every sequence is computed once, and the choice with the least residual is found one by one.
 */
export async function explainByClasses(
  model: TextModel,
  inputs: readonly (readonly number[])[],
  shared: NamedGradients,
  memory: Memory,
  between: () => Promise<void>,
): Promise<Explained> {
  const names = namesIn(model, shared)
  const wanted = await flatOf(shared, names)
  const classes = Math.max(1, Math.min(model.classes, Math.floor(MOST / inputs.length)))
  const own: Flat[][] = []
  for (const sequence of inputs) {
    const list: Flat[] = []
    for (let label = 0; label < classes; label++) {
      await between()
      list.push(
        await memory(`${label}: ${sequence}`, async () =>
          flatAndFreed(await classGradients(model, [sequence], [label]), names),
        ),
      )
    }
    own.push(list)
  }
  const labels = inputs.map(() => 0)
  const rest = wanted.map((v, i) => v - own.reduce((sum, list) => sum + list[0][i], 0) / inputs.length)
  for (let round = 0; round < ROUNDS; round++)
    for (const [s, list] of own.entries()) {
      const errors: number[] = []
      for (const candidate of list) {
        await between()
        errors.push(distance(rest, list[labels[s]], candidate, inputs.length))
      }
      const best = errors.indexOf(Math.min(...errors))
      for (let i = 0; i < rest.length; i++) rest[i] += (list[labels[s]][i] - list[best][i]) / inputs.length
      labels[s] = best
    }
  return { sequences: inputs.map((s) => [...s]), labels, gradients: await classGradients(model, inputs, labels) }
}

/** ‖rest + (from − to) / count‖² */
function distance(rest: Flat, from: Flat, to: Flat, count: number): number {
  let sum = 0
  for (let i = 0; i < rest.length; i++) sum += (rest[i] + (from[i] - to[i]) / count) ** 2
  return sum
}

/**
 * The last token of each sequence, which was only predicted, where the output's gradient was not shared. With another token v' in
 * place of v, ∂L changes by ∇(logit_v − logit_v'), times a weight. So the right one is among those whose logit falls fastest
 * along what is left of the shared gradient, which two forward passes say of all tokens; the fastest are tried.
 */
export async function explainByLogits(
  model: GptModel | LlamaModel,
  inputs: readonly (readonly number[])[],
  shared: NamedGradients,
  memory: Memory,
  between: () => Promise<void>,
): Promise<Explained> {
  const names = namesIn(model, shared)
  const wanted = await flatOf(shared, names)
  const total = inputs.reduce((n, { length }) => n + length, 0)
  const gradient = async (sequence: readonly number[], last: number): Promise<Flat> => {
    await between()
    const whole = [...sequence, last]
    const alone = await memory(`${whole}`, async () => flatAndFreed(await nextTokenGradients(model, [whole]), names))
    return alone.map((v) => (v * sequence.length) / total)
  }
  const last = inputs.map(() => 0)
  const own: Flat[] = []
  for (const sequence of inputs) own.push(await gradient(sequence, 0))
  const rest = wanted.map((v, i) => v - own.reduce((sum, g) => sum + g[i], 0))
  const enough = ENOUGH ** 2 * squaredNorm([wanted])
  const take = (s: number, token: number, next: Flat): void => {
    for (let i = 0; i < rest.length; i++) rest[i] += own[s][i] - next[i]
    last[s] = token
    own[s] = next
  }
  for (let round = 0, moved = true; round < ROUNDS && moved; round++) {
    moved = false
    for (const [s, sequence] of inputs.entries()) {
      let least = squaredNorm([rest])
      if (least <= enough) break
      await between()
      const slopes = await logitSlopes(model, sequence, names, rest)
      const fastest = [...slopes.keys()].sort((a, b) => slopes[a] - slopes[b]).slice(0, TRIES)
      let best: { token: number; next: Flat } | undefined
      for (const token of fastest) {
        const next = await gradient(sequence, token)
        const error = distance(rest, own[s], next, 1)
        if (error >= least) continue
        least = error
        best = { token, next }
        if (least <= enough) break
      }
      if (best) take(s, best.token, best.next)
      moved ||= best !== undefined
    }
    // what one sequence lacks looks like what another one lacks
    for (const [s, t] of pairsOf(inputs.length)) {
      const before = squaredNorm([rest])
      if (before <= enough) break
      const held = [last[s], last[t], own[s], own[t]] as const
      take(s, held[1], await gradient(inputs[s], held[1]))
      take(t, held[0], await gradient(inputs[t], held[0]))
      if (squaredNorm([rest]) < before) moved = true
      else {
        take(s, held[0], held[2])
        take(t, held[1], held[3])
      }
    }
  }
  const sequences = inputs.map((sequence, s) => [...sequence, last[s]])
  return { sequences, gradients: await nextTokenGradients(model, sequences) }
}

/** Length of the step of the difference, beside the weights. */
const STEP = 1e-2

const pairsOf = (count: number): [number, number][] =>
  Array.from({ length: count }, (_, s) => Array.from({ length: s }, (_, t): [number, number] => [t, s])).flat()

/** By token: how its logit at the end of a sequence changes along a direction of the weights. */
async function logitSlopes(
  model: GptModel | LlamaModel,
  sequence: readonly number[],
  names: readonly string[],
  direction: Flat,
): Promise<Float32Array> {
  const sizes = names.map((name) => model.weights[name].size)
  const length = Math.sqrt(squaredNorm([direction]))
  const slopes = tf.tidy(() => {
    const whole = Math.sqrt(names.reduce((sum, name) => sum + tf.sum(tf.square(model.weights[name])).dataSync()[0], 0))
    const step = (STEP * whole) / Math.max(length, Number.MIN_VALUE)
    const ids = tf.tensor2d([[...sequence]])
    const client = model.overTokens(sequence.length)
    const logits = (sign: number) => {
      let at = 0
      const moved = names.map((name, k) => {
        const part = Float32Array.from(direction.subarray(at, at + sizes[k]), (v) => sign * step * v)
        at += sizes[k]
        return [name, tf.add(model.weights[name], tf.tensor(part, model.weights[name].shape))] as const
      })
      const out = client.apply(ids, { ...client.weights, ...Object.fromEntries(moved) })
      return tf.slice(out, [0, sequence.length - 1, 0], [1, 1, -1])
    }
    return tf.sub(logits(1), logits(-1))
  })
  try {
    return (await slopes.data()) as Float32Array
  } finally {
    slopes.dispose()
  }
}

/** The trained weights whose gradient was shared. */
const namesIn = (model: TextModel | GptModel | LlamaModel, shared: NamedGradients): string[] =>
  Object.keys(model.weights).filter((name) => Object.hasOwn(shared, name))

const flatOf = async (gradients: NamedGradients, names: readonly string[]): Promise<Flat> =>
  flat(await Promise.all(names.map((name) => gradientOf(gradients, name))))

async function flatAndFreed(gradients: NamedTensorMap, names: readonly string[]): Promise<Flat> {
  try {
    return await flatOf(gradients, names)
  } finally {
    tf.dispose(gradients)
  }
}
