import { DlgError } from '../../errors/dlg-error'
import type { Evaluator, PortableProgram, Runtime } from '../runtime'
import { onnxRuntime } from '.'
import { createSession, evaluatorIn, type OnnxOptions, type OnnxProgram, type OnnxRuntimeModule } from './portable'

/**
 * onnxruntime-node: the fastest runtime in Node. Graphs are compiled to ONNX once and run in float32.
 *
 * @throws DlgError `invalid-option`; `runtime`, when a program is compiled, where the package is missing or cannot be loaded.
 */
export const onnx = (options: OnnxOptions = {}): Runtime => onnxRuntime(loadOnnxRuntimeNode, options, true)

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
