import { DlgError } from '../../errors/dlg-error'
import type { Evaluator, PortableProgram, Runtime } from '../runtime'
import { onnxRuntime } from '.'
import {
  checkOnnxOptions,
  createSession,
  evaluatorIn,
  type OnnxOptions,
  type OnnxProgram,
  type OnnxRuntimeModule,
  threadsFor,
} from './portable'

/**
 * onnxruntime-node: the fastest runtime in Node. Graphs are compiled to ONNX once and run in float32.
 *
 * On a GPU, as with `executionProviders: ['cuda']` or `['webgpu']`, restarts take turns on one thread whatever `concurrency` says:
 * one device serves all of them. NVIDIA's libraries would round the factors of products to TF32, which has 10 bits of precision
 * where float32 has 23. So the environment variable `NVIDIA_TF32_OVERRIDE` is set to 0 before the first program is compiled for
 * `cuda` or `tensorrt`, unless you have set it. A worker thread cannot change the environment of its process: set the variable
 * before Node starts if all your attacks run in workers.
 *
 * @throws DlgError `invalid-option`; `runtime`, when a program is compiled, where the package is missing or cannot be loaded.
 */
export function onnx(options: OnnxOptions = {}): Runtime {
  checkOnnxOptions(options)
  const providers = (options.executionProviders ?? ['cpu']).map((p) => (typeof p === 'string' ? p : p.name))
  async function loadForProviders(): Promise<OnnxRuntimeModule> {
    // the libraries read it once, when the first session of a process loads them
    if (providers.some((name) => NVIDIA.includes(name))) process.env.NVIDIA_TF32_OVERRIDE ??= '0'
    return loadOnnxRuntimeNode()
  }
  const portable = providers.every((name) => name === 'cpu')
  return onnxRuntime(portable ? loadOnnxRuntimeNode : loadForProviders, options, portable)
}

/** Execution providers that compute with NVIDIA's libraries. */
const NVIDIA: readonly string[] = ['cuda', 'tensorrt']

/** Opens on this thread what another one has bound. Disposing of it frees the session. */
export async function openPortable({ content }: PortableProgram): Promise<Evaluator> {
  const program = content as OnnxProgram
  const ort = await loadOnnxRuntimeNode()
  const session = await createSession(ort, program.model, program, threadsFor(program))
  return { ...evaluatorIn(ort, session, program), dispose: () => void session.release() }
}

export async function loadOnnxRuntimeNode(): Promise<OnnxRuntimeModule> {
  try {
    // a name that bundlers do not follow: in a browser there is no such package
    const name = 'onnxruntime-node'
    const ort = await import(/* @vite-ignore */ /* webpackIgnore: true */ name)
    return ort.default ?? ort
  } catch (cause) {
    throw new DlgError(
      'runtime',
      `onnxruntime-node cannot be loaded (${(cause as Error).message}); install it with: npm install onnxruntime-node`,
      {
        cause,
      },
    )
  }
}
