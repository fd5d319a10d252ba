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
} from './portable'

/**
 * onnxruntime-node: the fastest runtime in Node. Graphs are compiled to ONNX once and run in float32.
 *
 * On a GPU, as with `executionProviders: ['cuda']` or `['webgpu']`, searches take turns on one thread whatever `concurrency`
 * says, because a device is not shared between threads. NVIDIA's libraries would round products to TF32, 10 bits instead of 23:
 * the environment variable `NVIDIA_TF32_OVERRIDE` is set to 0 before the first program is compiled for one of their providers,
 * unless you have set it. They read the environment of the process, which a worker thread cannot change: set it yourself when
 * all of your attacks run in workers.
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
  const session = await createSession(ort, program.model, program.options)
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
