/** Compares every runtime of a browser with `reference`: the value and the gradient of an attack's objective, and whole attacks. */
import '@tensorflow/tfjs-backend-cpu'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url'
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url'
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'
import '@tensorflow/tfjs-backend-webgl'
import '@tensorflow/tfjs-backend-webgpu'
import * as tf from '@tensorflow/tfjs-core'
import {
  auto,
  deepLeakage,
  gradientsOf,
  type LeakageOptions,
  type Model,
  type PlainTensor,
  type Program,
  type Runtime,
  reference,
  tfjs,
  type Values,
} from 'dlg-ts'
import { psnr } from 'dlg-ts/metrics'
import { onnxWeb } from 'dlg-ts/onnx-web'
import { convnet, lenet, transformer } from './networks'

setWasmPaths({
  'tfjs-backend-wasm.wasm': plain,
  'tfjs-backend-wasm-simd.wasm': simd,
  'tfjs-backend-wasm-threaded-simd.wasm': threaded,
})

const onBackend = (name: string) => async (): Promise<Runtime> => {
  if (!(await tf.setBackend(name))) throw new Error(`the backend ${name} does not start here`)
  await tf.ready()
  return tfjs()
}

const onGpu = (load: () => Promise<object>) => async (): Promise<Runtime> => {
  await tf.setBackend('cpu')
  if (!(await navigator.gpu?.requestAdapter())) throw new Error('no adapter for WebGPU here')
  const ort = (await load()) as NonNullable<Parameters<typeof onnxWeb>[0]>['ort']
  return onnxWeb({ ort, executionProviders: ['webgpu'] })
}

const RUNTIMES: Readonly<Record<string, () => Promise<Runtime>>> = {
  'tfjs cpu': onBackend('cpu'),
  'tfjs wasm': onBackend('wasm'),
  'tfjs webgl': onBackend('webgl'),
  'tfjs webgpu': onBackend('webgpu'),
  'onnxruntime-web wasm': async () => onnxWeb(),
  'onnxruntime-web webgpu': onGpu(() => import('onnxruntime-web/webgpu')),
  'onnxruntime-web all (JSEP)': onGpu(() => import('onnxruntime-web/all')),
  auto: async () => auto(),
}

interface Problem {
  readonly model: Model
  readonly shape: number[]
  readonly labels: number[]
  /** Whether the attack is run to its end too. */
  readonly whole: boolean
}

const PROBLEMS: Readonly<Record<string, () => Problem>> = {
  LeNet: () => ({ model: lenet(), shape: [1, 16, 16, 3], labels: [7], whole: true }),
  'LeNet, batch of 2': () => ({ model: lenet(), shape: [2, 16, 16, 3], labels: [7, 2], whole: false }),
  'ReLU and max-pooling': () => ({ model: convnet(), shape: [1, 16, 16, 3], labels: [3], whole: false }),
  transformer: () => ({ model: transformer(), shape: [1, 8, 32], labels: [1], whole: false }),
}

/** The objective of an attack with everything it was given at its start, and what `reference` makes of it. */
interface Objective {
  readonly program: Program
  readonly parameters: ReadonlyMap<string, Values>
  readonly lasting: ReadonlySet<string> | undefined
  readonly inputs: readonly Values[]
  readonly outputs: readonly Values[]
}

/** What was shared, as plain numbers: tensors belong to a backend. */
const shares = new Map<string, { shared: PlainTensor[]; secret: Float32Array; objective: Objective }>()

async function prepare(name: string): Promise<void> {
  await tf.setBackend('cpu')
  const { model, shape, labels } = PROBLEMS[name]()
  const x = tf.randomUniform(shape, 0, 1, 'float32', 99)
  const gradients = await gradientsOf(model, x, labels, { runtime: 'reference' })
  const shared = Object.values(gradients).map((t) => ({ shape: t.shape, data: Float32Array.from(t.dataSync()) }))
  let objective: Objective | undefined
  const inner = reference()
  const recording: Runtime = {
    ...inner,
    async compile(program) {
      const executable = await inner.compile(program)
      return {
        ...executable,
        async bind(parameters, lasting) {
          const evaluator = await executable.bind(parameters, lasting)
          return {
            ...evaluator,
            async run(inputs) {
              const outputs = await evaluator.run(inputs)
              objective ??= { program, parameters, lasting, inputs: inputs.map((v) => v.slice()), outputs }
              return outputs
            },
          }
        },
      }
    },
  }
  const options: LeakageOptions = { ...attackOptions(name), runtime: recording, budget: { evaluations: 1 } }
  const leak = await deepLeakage(model, shared, options)
  shares.set(name, { shared, secret: x.dataSync().slice() as Float32Array, objective: objective! })
  leak.dispose()
}

const attackOptions = (name: string): LeakageOptions => {
  const { labels } = PROBLEMS[name]()
  return { batchSize: labels.length, labels, preset: 'robust', seed: 1, certainty: false, restarts: 1 }
}

/** One cell of the table. */
export interface Cell {
  readonly runtime?: string
  /** Relative error of the value, and of the gradient by its norm. */
  readonly value?: number
  readonly gradient?: number
  /** Of the quickest evaluation after the first. */
  readonly milliseconds?: number
  /** Why the attack was refused, or what was thrown. */
  readonly refused?: string
  /** Of the whole attack. */
  readonly attack?: {
    readonly status: string
    readonly psnr: number
    readonly evaluations: number
    readonly milliseconds: number
  }
}

/** Largest relative error that is right: of float32, over a computation of some hundred steps. */
const RIGHT = 1e-3

const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0))
const relative = (a: Values, b: Values): number => norm(Array.from(b, (v, i) => v - a[i])) / (norm(b) || 1)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function cell(runtimeName: string, problem: string, repeats: number): Promise<Cell> {
  let runtime: Runtime
  try {
    runtime = await RUNTIMES[runtimeName]()
  } catch (error) {
    return { refused: messageOf(error) }
  }
  const { shared, secret, objective } = shares.get(problem)!
  const { program, parameters, lasting, inputs, outputs } = objective
  let measured: Cell = {}
  try {
    const executable = await runtime.compile(program)
    const evaluator = await executable.bind(parameters, lasting)
    const found = await evaluator.run(inputs)
    const times: number[] = []
    for (let i = 0; i < repeats; i++) {
      const began = performance.now()
      await evaluator.run(inputs)
      times.push(performance.now() - began)
    }
    const milliseconds = Math.min(...times)
    const errors = found.map((values, i) => relative(values, outputs[i]))
    const scalar = (i: number): boolean => outputs[i].length === 1
    measured = {
      runtime: executable.runtime,
      value: Math.max(...errors.filter((_, i) => scalar(i))),
      gradient: Math.max(...errors.filter((_, i) => !scalar(i))),
      milliseconds,
    }
    evaluator.dispose()
    executable.dispose()
  } catch (error) {
    measured = { refused: messageOf(error) }
  }
  // what a caller sees: an attack on a backend that is wrong must be refused by name
  const { model, whole } = PROBLEMS[problem]()
  const { value = Infinity, gradient = Infinity, milliseconds = Infinity } = measured
  const [right, quick] = [Math.max(value, gradient) <= RIGHT, milliseconds < 25]
  if (measured.refused !== undefined || (right && !quick)) return measured
  const full = whole && quick
  try {
    const leak = await deepLeakage(model, shared, {
      ...attackOptions(problem),
      runtime: await RUNTIMES[runtimeName](),
      budget: full ? { milliseconds: 20_000 } : { evaluations: 2 },
    })
    const attack = {
      status: leak.status,
      psnr: psnr(secret, leak.data.dataSync()),
      evaluations: leak.evaluations,
      milliseconds: leak.milliseconds,
    }
    leak.dispose()
    return { ...measured, ...(full && { attack }) }
  } catch (error) {
    return { refused: messageOf(error), ...measured }
  }
}

Object.assign(globalThis, {
  numerics: { runtimes: Object.keys(RUNTIMES), problems: Object.keys(PROBLEMS), prepare, cell },
})
