/** Both sides of the page, off its thread: the device that trains and shares, and the server that sees what was shared. */
import * as tf from '@tensorflow/tfjs-core'
import { auto, gradientsOf } from 'dlg-ts'
import { type AttackProgress, attack, type Outcome, type Target, targetOf } from 'dlg-ts/attacks'
import { defended } from 'dlg-ts/defences'
import { encodeGif } from 'dlg-ts/io'
import { pairSamples } from 'dlg-ts/metrics'
import { serve } from 'dlg-ts/worker'
import { defenceOf } from './defences'
import { networkOf } from './networks'
import { gate, pausable } from './pausable'
import { SIDE } from './photographs'
import { startTfjs } from './runtimes'
import { sentences } from './sentence'
import type { Settings } from './settings'
import { type SquarePicture, signedPicture } from './signed-picture'

/** Learning rate of the device's own steps. */
const LEARNING_RATE = 0.01
/** Least time between two reports, in milliseconds: a frame of the page. */
const PAUSE = 16

/** What the device sends, for the page to show. */
export interface Shared {
  readonly picture: SquarePicture
  readonly numbers: number
  readonly norm: number
  /** What the defence has done, in words; undefined without one. */
  readonly defence: string | undefined
}

/** How far the server is. Pictures are in the order of the photos. */
export interface Report {
  readonly evaluations: number
  readonly milliseconds: number
  readonly relativeLoss: number
  readonly psnr: number
  readonly pictures: readonly Float32Array[]
  readonly words: string
}

/** How the server ended. */
export interface Result {
  readonly status: Outcome['status']
  readonly reason: string
  readonly runtime: string
  /** What it has found; undefined where it was stopped before. */
  readonly last: Report | undefined
}

const passage = gate()
const runtime = pausable(auto(), passage)
const sentence = sentences(runtime, PAUSE)
let stepping = false
let scene: { target: Target; secret: readonly Float32Array[]; settings: Settings } | undefined
let dispose = (): void => {}

const functions = {
  /** The device: a step of training on the photos, and what it shares of it. */
  async share(settings: Settings, photos: readonly Float32Array[]): Promise<Shared> {
    dispose()
    scene = undefined
    const model = networkOf(settings)
    dispose = () => model.dispose()
    const x = tf.tensor(joined(photos), [photos.length, SIDE, SIDE, 3])
    const y = photos.map((_, i) => (settings.seed + 3 * i) % 10)
    const options = { batchSize: photos.length, runtime }
    try {
      const plain = await (settings.steps === 1
        ? targetOf(model, await trained(gradientsOf(model, x, y)), options)
        : targetOf(model, { delta: await moved(settings, x, y) }, { ...options, update: updateOf(settings) }))
      const defence = defenceOf(settings)
      const target = defence ? defended(plain, defence, { seed: settings.seed }) : plain
      scene = { target, secret: photos, settings }
      const numbers = joined(target.gradients)
      return {
        picture: signedPicture(numbers),
        numbers: numbers.length,
        norm: Math.sqrt(numbers.reduce((sum, v) => sum + v * v, 0)),
        defence: defence?.description,
      }
    } finally {
      x.dispose()
    }
  },

  /** The server: it reconstructs the photos from what was shared. They are used to say how close it came, and for nothing else. */
  async leak({ onReport, signal }: { onReport(report: Report): void; signal: AbortSignal }): Promise<Result> {
    if (!scene) throw new Error('nothing was shared yet')
    const { target, secret, settings } = scene
    const began = performance.now()
    const measured = (data: ArrayLike<number>) => {
      const pairs = pairSamples(secret, data)
      return {
        milliseconds: performance.now() - began,
        psnr: pairs.reduce((sum, { psnr }) => sum + psnr, 0) / pairs.length,
        pictures: pairs.map(({ reconstruction }) => reconstruction.slice()),
      }
    }
    let told = Number.NEGATIVE_INFINITY
    const onProgress = ({ words, evaluations = 0, relativeLoss = 1, data }: AttackProgress): void => {
      if (!data || (performance.now() - told < PAUSE && !stepping)) return
      told = performance.now()
      onReport({ ...measured(data()), words, evaluations, relativeLoss })
      if (stepping) passage.pause()
      stepping = false
    }
    signal.addEventListener('abort', passage.open)
    const options = defenceOf(settings)?.matching?.(target) ?? {}
    const found = await attack('gradient-matching', target, options, { seed: settings.seed, signal, onProgress })
    try {
      const { status, reason, evidence, work } = found
      const { data } = found.found
      const last = data && {
        ...{ ...measured(data.dataSync()), words: reason, evaluations: work.evaluations },
        relativeLoss: (evidence.residual ?? 1) ** 2,
      }
      return { status, reason, runtime: work.runtime ?? 'nothing', last }
    } finally {
      found.dispose()
    }
  },

  shareSentence: sentence.share,
  leakSentence: sentence.leak,

  pause: () => passage.pause(),
  resume: () => passage.open(),
  /** Goes on to the next report. */
  step() {
    stepping = true
    passage.open()
  },

  /** Frames of SIDE × SIDE pixels as a film. */
  film: (frames: readonly Float32Array[]): Uint8Array =>
    encodeGif(frames.map((data) => ({ width: SIDE, height: SIDE, data }))),
}

export type Functions = typeof functions

/** The gradients by name, as numbers. */
async function trained(gradients: Promise<tf.NamedTensorMap>) {
  const tensors = await gradients
  const plain = Object.entries(tensors).map(
    ([name, t]) => [name, { shape: t.shape, data: t.dataSync().slice() }] as const,
  )
  tf.dispose(tensors)
  return new Map(plain)
}

const updateOf = ({ steps }: Settings) => ({ learningRate: LEARNING_RATE, localSteps: steps })

/** How far the weights move in some steps of SGD, by name. */
async function moved(settings: Settings, x: tf.Tensor, y: number[]) {
  const device = networkOf(settings)
  const before = device.getWeights().map((w) => w.dataSync().slice())
  for (let step = 0; step < settings.steps; step++) {
    const gradients = await gradientsOf(device, x, y)
    const next = device.trainableWeights.map((w) =>
      tf.tidy(() => tf.sub(w.read(), tf.mul(gradients[w.name], LEARNING_RATE))),
    )
    device.setWeights(next)
    tf.dispose([next, gradients])
  }
  const delta = device
    .getWeights()
    .map((w, i) => ({ shape: w.shape, data: w.dataSync().map((v, k) => v - before[i][k]) }))
  device.dispose()
  return delta
}

/** Arrays, one after the other. */
function joined(parts: readonly ArrayLike<number>[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

serve(startTfjs().then(() => functions))
