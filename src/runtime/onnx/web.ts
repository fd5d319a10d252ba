/**
 * Runs the compiled graphs on onnxruntime-web, in a browser or in Node.
 *
 * In a page that imports this entry, `runtime: 'auto'` takes onnxruntime-web.
 *
 * @module dlg-ts/onnx-web
 */

import { requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { add, createGraph, input } from '../../graph'
import { preferRuntime } from '../preferred'
import { evaluate, type Runtime } from '../runtime'
import { onnxRuntime } from '.'
import { importOnnxRuntimeWeb } from './load-web'
import { checkOnnxOptions, type OnnxOptions, type OnnxRuntimeModule } from './portable'
import { takingTurns } from './turns'

/** The part of onnxruntime-web that is used: any of its builds. */
export interface OnnxWebModule {
  readonly InferenceSession: {
    /** Compiles a model. */
    create(model: Uint8Array, options?: object): Promise<unknown>
  }
  readonly Tensor: {
    /** A tensor of float32 numbers. */
    new (type: 'float32', data: Float32Array, dims: readonly number[]): unknown
  }
}

/** Options of {@link onnxWeb}. */
export interface OnnxWebOptions extends OnnxOptions {
  /**
   * The module, such as `onnxruntime-web/webgpu`, imported whole (`import * as ort`). Default: its build for WebAssembly, which is loaded when a program is
   * compiled. Every other execution provider needs the module.
   */
  ort?: OnnxWebModule
}

/**
 * onnxruntime-web: the same compiled graphs in a browser (or in Node, as WebAssembly). Its evaluations take turns on one thread.
 *
 * For a GPU, give the module `onnxruntime-web/webgpu` and `executionProviders: ['webgpu']`. The older build `onnxruntime-web/all` is wrong on
 * transformers from `graphOptimizationLevel: 'basic'` on; an attack refuses a provider that computes its model wrongly.
 *
 * @throws DlgError `invalid-option`; `runtime`, when a program is compiled, where the package is missing or cannot be loaded.
 */
export function onnxWeb(options: OnnxWebOptions = {}): Runtime {
  requireObject('the options of onnxWeb', options, 'an object', 'invalid-option')
  const { ort, ...rest } = options
  checkOnnxOptions(rest)
  const { executionProviders = ['wasm'] } = rest
  if (ort !== undefined) requireModule(ort)
  else if (executionProviders.some((provider) => provider !== 'wasm'))
    throw new DlgError(
      'invalid-option',
      `executionProviders is ${show(executionProviders)}, which needs the module: ort must be given, which is onnxruntime-web/webgpu for a GPU`,
    )
  const load = ort ? async () => takingTurns(ort as OnnxRuntimeModule) : loadOnnxRuntimeWeb
  return onnxRuntime(load, { ...rest, executionProviders }, false, `web ${ort ? numberOf(ort) : 'wasm'}`)
}

async function loadOnnxRuntimeWeb(): Promise<OnnxRuntimeModule> {
  try {
    return takingTurns(await importOnnxRuntimeWeb())
  } catch (cause) {
    throw new DlgError(
      'runtime',
      `onnxruntime-web cannot be loaded (${(cause as Error).message}); install it with: npm install onnxruntime-web`,
      { cause },
    )
  }
}

function requireModule(ort: OnnxWebModule): void {
  const { InferenceSession, Tensor } = ort ?? {}
  // onnxruntime's is a class
  const create: unknown = InferenceSession?.create
  if (typeof Tensor !== 'function' || typeof create !== 'function')
    throw new DlgError(
      'invalid-option',
      `ort is ${show(ort)}; it must be the whole module, such as onnxruntime-web/wasm`,
    )
}

const modules: OnnxWebModule[] = []

/** A number for each module: sessions of one are none of another's. */
function numberOf(ort: OnnxWebModule): number {
  if (!modules.includes(ort)) modules.push(ort)
  return modules.indexOf(ort)
}

let started: Promise<unknown> | undefined

/** Adds two numbers once: the WebAssembly is loaded with the first session only, and may not be there. */
function start(runtime: Runtime): Promise<unknown> {
  const x = input(createGraph(), 'x', [1])
  started ??= evaluate(runtime, { inputs: [x], outputs: [add(x, x)] }, new Map(), [Float64Array.of(1)])
  return started
}

/**
 * Loads the WebAssembly of onnxruntime-web before it is needed. Otherwise the first attack of a thread loads it, and its thread neither tells nor answers
 * anything for a third of a second: call this while nobody waits, such as when a page has been shown.
 *
 * @throws DlgError `runtime` where the package is missing or its WebAssembly cannot be loaded
 */
export async function startOnnxWeb(): Promise<void> {
  await start(onnxWeb())
}

preferRuntime({
  name: 'onnx',
  precision: 'float32',
  async compile(program) {
    const runtime = onnxWeb()
    await start(runtime)
    return runtime.compile(program)
  },
})
