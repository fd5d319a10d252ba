/** dlg-ts as a peer of the benchmark. argv[2]: onnxruntime's execution provider, `cpu` unless said. */
import { setTimeout as sleep } from 'node:timers/promises'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, gradientsOf, type Model, releaseCompiled } from '../../src'
import type { Attack } from '../../src/attacks/matching/attack'
import { prepareAttack } from '../../src/attacks/matching/leakage'
import { leakageOptions } from '../../src/attacks/matching/options'
import { newProgress } from '../../src/attacks/matching/search/progress'
import { searchAll } from '../../src/attacks/matching/search/restarts'
import { openTarget } from '../../src/client/target'
import { writeFileAtomic, writeSafetensors } from '../../src/io'
import * as metrics from '../../src/metrics'
import { onnx } from '../../src/runtime/onnx/node'
import { buildModel, findCase, type Problem, problemOf, tensorsOf } from '../cases'
import { profiled } from '../kernels'
import { photograph } from '../photograph'
import { serve } from '../serve'
import { timed } from '../timing'

await tf.setBackend('cpu')

interface Open {
  readonly model: Model
  readonly problem: Problem
  readonly shared: tf.NamedTensorMap
  readonly attack: Attack
  readonly point: Float64Array
  readonly threads: number
}

let open: Open | undefined

const opened = (): Open => {
  if (!open) throw new Error('no case is open')
  return open
}

const options = (threads: number) => ({ threads, executionProviders: [process.argv[2] ?? 'cpu'] })

const runtime = (threads: number) => onnx(options(threads))

await serve({
  async about() {
    const { createRequire } = await import('node:module')
    const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json')
    return { name: 'dlg-ts', version: `onnxruntime-node ${version}` }
  },

  /** Builds a case, writes it down for the others, and compiles its objective. */
  async open({ name, threads, file }: { name: string; threads: number; file: string }) {
    open?.attack.dispose()
    open = undefined
    await releaseCompiled()
    const c = findCase(name)
    const model = buildModel(c)
    const problem = problemOf(c)
    writeFileAtomic(file, writeSafetensors(await tensorsOf(model, problem)))
    const shared = await gradientsOf(model, problem.x, problem.labels, { runtime: runtime(threads) })
    // the paper's objective is the plain sum of squared differences, which everyone computes
    const settings = leakageOptions({
      ...{ preset: 'paper', batchSize: c.batch, init: problem.start, runtime: runtime(threads) },
      verifyRuntime: false,
    })
    const began = performance.now()
    const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
    const point = await attack.start(0)
    await attack.evaluate(point)
    open = { model, problem, shared, attack, point, threads }
    return { compileMs: performance.now() - began }
  },

  /** Nodes that onnxruntime runs for one evaluation, by execution provider. */
  async kernels({ name, threads }: { name: string; threads: number }) {
    const counts: Record<string, number> = {}
    const { kernels } = await profiled(findCase(name), options(threads), 1)
    for (const { provider } of kernels) counts[provider] = (counts[provider] ?? 0) + 1
    return { total: kernels.length, counts, copies: kernels.filter(({ op }) => op.startsWith('Memcpy')).length }
  },

  /** The objective at the start, and its gradient as float32 numbers in a file: data, then label logits. */
  async value({ file }: { file: string }) {
    const { attack, point } = opened()
    const { value, gradient } = await attack.evaluate(point)
    writeFileAtomic(file, new Uint8Array(Float32Array.from(gradient).buffer))
    return { value }
  },

  async evaluate({ ms }: { ms: number }) {
    const { attack, point } = opened()
    return timed(ms, () => attack.evaluate(point))
  },

  /** The search as users run it: default options, history full from evaluation `fill` on; what is not evaluating is the optimizer. */
  async iterate({ fill, count }: { fill: number; count: number }) {
    const { model, shared, problem, threads, attack: evaluated } = opened()
    // an attack is in memory by itself, as a user's is
    evaluated.dispose()
    await releaseCompiled()
    const marks: { restart: number; evaluations: number; ms: number; evaluating: number; own: number }[] = []
    let before = 0
    let evaluating = 0
    const settings = leakageOptions({
      ...{ batchSize: problem.labels.length, tolerance: 0, iterations: 100_000, restarts: 100 },
      ...{ runtime: runtime(threads), budget: { evaluations: fill + count } },
      onIteration({ restart, iteration, evaluations, milliseconds: ms }) {
        if (iteration === 0) before = evaluations
        marks.push({ restart, evaluations, ms, evaluating, own: evaluations - before })
      },
    })
    const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
    const progress = newProgress(settings.restarts)
    const { evaluate, smoothed } = attack
    const timing = async <T>(evaluation: Promise<T>): Promise<T> => {
      const began = performance.now()
      const done = await evaluation
      evaluating += performance.now() - began
      return done
    }
    const timedAttack: Attack = {
      ...attack,
      evaluate: (...at) => timing(evaluate(...at)),
      smoothed: smoothed && ((...at) => timing(smoothed(...at))),
    }
    // `auto` has decided by now: behind kinks users search with Adam
    const [last] = (await searchAll(timedAttack, attack.settings, progress)).slice(-1)
    const { evaluations: all } = progress
    marks.push({
      ...{ restart: last.restart, evaluations: all, evaluating },
      ms: progress.milliseconds(),
      own: all - before,
    })
    attack.dispose()
    // stretches of one restart with a full history
    const total = { count: 0, ms: 0, evaluatingMs: 0 }
    marks.forEach((mark, i) => {
      const previous = marks[i - 1]
      if (!previous || previous.restart !== mark.restart || previous.own < fill) return
      total.count += mark.evaluations - previous.evaluations
      total.ms += mark.ms - previous.ms
      total.evaluatingMs += mark.evaluating - previous.evaluating
    })
    return { ...total, pairs: Math.min(fill, 100) }
  },

  /** Milliseconds of four restarts, none of which converges, with this concurrency. */
  async restarts({ concurrency, iterations }: { concurrency: number; iterations: number }) {
    const { model, shared, problem } = opened()
    const leak = await deepLeakageFromGradients(model, shared, {
      ...{ batchSize: problem.labels.length, tolerance: 0, restarts: 4, iterations, concurrency, runtime: runtime(1) },
    })
    leak.dispose()
    return { ms: leak.milliseconds, loss: leak.relativeLoss }
  },

  /** A photograph under the paper's network, attacked with default options until it is recognised. */
  async attack({ seed, seconds, mse, file }: { seed: number; seconds: number; mse: number; file: string }) {
    const c = findCase('lenet-b1')
    const model = buildModel(c, seed)
    const x = photograph(c.inputShape[0])
    const labels = [(seed * 37) % c.classes]
    const start = problemOf(c).start
    writeFileAtomic(file, writeSafetensors(await tensorsOf(model, { x, labels, start })))
    const shared = await gradientsOf(model, x, labels)
    const original = await x.data()
    const error = (data: ArrayLike<number>) => metrics.mse(data, original)
    const enough = new AbortController()
    let reached: number | undefined
    const began = performance.now()
    const leak = await deepLeakageFromGradients(model, shared, {
      ...{ seed, runtime: runtime(1), signal: enough.signal, budget: { milliseconds: seconds * 1000 } },
      onIteration(e) {
        if (error(e.data()) >= mse) return
        reached ??= performance.now() - began
        enough.abort()
      },
    })
    const final = error(await leak.data.data())
    if (final < mse) reached ??= performance.now() - began
    leak.dispose()
    return { ms: reached, mse: final, evaluations: leak.evaluations }
  },

  async memory() {
    await sleep(50)
    return { peakMb: process.resourceUsage().maxRSS / 1024 }
  },
})
