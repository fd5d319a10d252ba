import { DlgError } from '../../errors/dlg-error'
import { onnxRuntime } from '.'
import type * as node from './node'

export const loadOnnxRuntimeNode: typeof node.loadOnnxRuntimeNode = async () => {
  throw new DlgError(
    'runtime',
    'onnxruntime-node runs in Node alone; in a browser, use the runtime onnxWeb() of dlg-ts/onnx-web, or tfjs',
  )
}

/** A browser has no onnxruntime-node: compiling is refused. */
export const onnx: typeof node.onnx = (options = {}) => onnxRuntime(loadOnnxRuntimeNode, options, true)
