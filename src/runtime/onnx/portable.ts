import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { choice, knownNames, number, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { sizeOf } from '../../graph'
import type { Evaluator, Values } from '../runtime'

/** The part of onnxruntime-node and onnxruntime-web that is used. */
export interface OnnxRuntimeModule {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession>
  }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor
}

/** Options of the onnxruntime runtimes. */
export interface OnnxOptions {
  /** Execution providers in order of preference, as onnxruntime takes them. Default `['cpu']`. */
  executionProviders?: readonly (string | { readonly name: string })[]
  /**
   * Threads of the processor within one operation. Default 1, the fastest for small models, and one for each core where operations are large (1.5 million
   * multiplications on average) and restarts take turns; beside a GPU, where only the optimizer's products with its history run there, all.
   */
  threads?: number
  /**
   * How far onnxruntime rewrites the graph, from nothing to everything: a way around a rewriting that is wrong. Default `all`, and `disabled` on
   * WebAssembly alone, and on a processor for models without convolutions: there it takes 30 to 45 % of the time to compile, and finds nothing that makes
   * graphs faster which are rewritten already.
   */
  graphOptimizationLevel?: (typeof LEVELS)[number]
}

const LEVELS = ['disabled', 'basic', 'extended', 'layout', 'all'] as const

/** @throws DlgError `invalid-option` */
export function checkOnnxOptions(options: OnnxOptions): void {
  knownNames('the options of onnxruntime', options, ['executionProviders', 'threads', 'graphOptimizationLevel'])
  const { executionProviders: providers, threads, graphOptimizationLevel: level } = options
  const isProvider = (p: unknown) =>
    typeof (typeof p === 'object' && p !== null ? (p as { name?: unknown }).name : p) === 'string'
  if (providers !== undefined && !(Array.isArray(providers) && providers.length > 0 && providers.every(isProvider)))
    throw new DlgError(
      'invalid-option',
      `executionProviders is ${show(providers)}; it must be a list of names, or of objects with one`,
    )
  if (threads !== undefined)
    number('threads', threads, (n) => Number.isSafeInteger(n) && n >= 1, 'a whole number of at least 1')
  if (level !== undefined) choice('graphOptimizationLevel', level, LEVELS)
}

/** A compiled program with its parameters bound, as plain data: what a thread needs to run it. */
export interface OnnxProgram {
  readonly model: Uint8Array
  readonly options: OnnxOptions
  /** Bound tensors by name. */
  readonly bound: Readonly<Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>>
  /** Names and shapes of the inputs, in order; those without a name are not read. */
  readonly inputs: readonly { readonly name: string | undefined; readonly shape: readonly number[] }[]
  readonly outputs: readonly string[]
  /** Whether onnxruntime plans its memory. */
  readonly planned: boolean
  /** Whether there are convolutions in it. */
  readonly convolves: boolean
  /** Whether its operations are so large that several threads share each of them. */
  readonly heavy: boolean
}

/** The level where none is given: on a processor, numbers are laid out anew for convolutions, which are faster by it. */
function usualLevel(
  providers: NonNullable<OnnxOptions['executionProviders']>,
  convolves: boolean,
): (typeof LEVELS)[number] {
  const plain = convolves ? ['wasm'] : ['wasm', 'cpu']
  return providers.every((p) => plain.includes(typeof p === 'string' ? p : p.name)) ? 'disabled' : 'all'
}

/** How many have asked for other cores to be left alone. */
let modest = 0

/**
 * From here on programs that are opened run on one thread each, unless threads are asked for: other processes have the other cores.
 *
 * @returns takes it back
 */
export function leaveOtherCores(): () => void {
  modest++
  let asked = true
  return () => {
    if (asked) modest--
    asked = false
  }
}

/** Threads within one operation of a program, 0 for as many as there are cores. */
export function threadsFor({ options, heavy }: Pick<OnnxProgram, 'options' | 'heavy'>): number {
  const { executionProviders = ['cpu'], threads } = options
  return threads ?? (heavy && modest === 0 && executionProviders.every((provider) => provider === 'cpu') ? 0 : 1)
}

/** @throws DlgError `runtime` when onnxruntime refuses the model. */
export async function createSession(
  ort: OnnxRuntimeModule,
  model: Uint8Array,
  { options, planned, convolves, heavy }: Pick<OnnxProgram, 'options' | 'planned' | 'convolves' | 'heavy'>,
  threads: number,
): Promise<InferenceSession> {
  const { executionProviders = ['cpu'], graphOptimizationLevel } = options
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: executionProviders as InferenceSession.ExecutionProviderConfig[],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: graphOptimizationLevel ?? usualLevel(executionProviders, convolves),
      enableMemPattern: planned,
      // threads that wait for the next operation awake are a third faster, and of no use where operations are short
      extra: { session: { intra_op: { allow_spinning: heavy && threads !== 1 ? '1' : '0' } } },
    })
  } catch (cause) {
    throw new DlgError('runtime', `onnxruntime could not compile the graph: ${(cause as Error).message}`, { cause })
  }
}

/** Runs a bound program in a session of its model. The session stays the caller's. */
export function evaluatorIn(
  ort: OnnxRuntimeModule,
  session: InferenceSession,
  { bound, inputs, outputs }: Pick<OnnxProgram, 'bound' | 'inputs' | 'outputs'>,
): Evaluator {
  const tensor = (data: Float32Array, shape: readonly number[]): Tensor => new ort.Tensor('float32', data, shape)
  const fixed: Record<string, Tensor> = Object.fromEntries(
    Object.entries(bound).map(([name, { data, shape }]) => [name, tensor(data, shape)]),
  )
  return {
    async run(values: readonly Values[]) {
      const feeds = { ...fixed }
      inputs.forEach(({ name, shape }, i) => {
        if (values[i]?.length !== sizeOf(shape))
          throw new DlgError('runtime', `input ${i} needs ${sizeOf(shape)} values, got ${values[i]?.length}`)
        if (name) feeds[name] = tensor(toFloat32(values[i]), shape)
      })
      const results = await session.run(feeds)
      return outputs.map((name) => results[name].data as Float32Array)
    },
    dispose() {},
  }
}

/** Values as float32; an array that is float32 already is read in place. */
const toFloat32 = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)
