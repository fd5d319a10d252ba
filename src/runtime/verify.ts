import { DlgError } from '../errors/dlg-error'
import { sizeOf } from '../graph'
import type { Values } from '../numbers/values'
import { onnx } from './onnx/node'
import { reference } from './reference'
import { type Evaluator, evaluate, type Program, type Runtime } from './runtime'

/** Runtimes that the tests compare with finite differences for every operation. Every other runtime is verified where it runs. */
const TRUSTED = ['reference', 'onnx:cpu', 'onnx:wasm', 'tfjs:cpu', 'tfjs:wasm']

/** Largest relative error of a scalar, and of a tensor by its norm. */
const [VALUE, TENSOR] = [1e-3, 1e-2]

/** Whether the outputs of a runtime, by the name it reports, are trusted as they are. */
export const isTrusted = (runtime: string): boolean => TRUSTED.includes(runtime)

/**
 * Compares the outputs of a bound program with those of a trusted runtime, once, at one point. Graphics backends can compute
 * garbage without an error.
 *
 * @param name what runs the program, as it reports itself
 * @param inputs in the program's order
 * @throws DlgError `runtime`, naming the runtime, the output and the difference
 */
export async function verify(
  name: string,
  evaluator: Evaluator,
  program: Program,
  parameters: ReadonlyMap<string, Values>,
  inputs: readonly Values[],
): Promise<void> {
  const [found, right] = [await evaluator.run(inputs), await trusted(program, parameters, inputs)]
  for (const [i, { shape }] of program.outputs.entries()) {
    const difference = relative(found[i], right[i])
    const most = sizeOf(shape) === 1 ? VALUE : TENSOR
    if (difference <= most) continue
    throw new DlgError(
      'runtime',
      `${name} computes this model wrongly: output ${i} of the objective differs by ${difference.toExponential(1)} from a trusted runtime, at most ${most} is right. Take another runtime or backend, or verifyRuntime: false to use it all the same`,
    )
  }
}

/** The outputs on onnxruntime's CPU, where it is installed, else in float64. */
async function trusted(
  program: Program,
  parameters: ReadonlyMap<string, Values>,
  inputs: readonly Values[],
): Promise<Values[]> {
  const on = (runtime: Runtime) => evaluate(runtime, program, parameters, inputs)
  try {
    return await on(onnx())
  } catch (error) {
    if (error instanceof DlgError && error.code === 'runtime') return on(reference())
    throw error
  }
}

/** ‖found − right‖ / ‖right‖; Infinity where a number is not finite. */
function relative(found: Values, right: Values): number {
  let [difference, norm] = [0, 0]
  for (let i = 0; i < right.length; i++) {
    difference += (found[i] - right[i]) ** 2
    norm += right[i] ** 2
  }
  if (!Number.isFinite(difference)) return Number.POSITIVE_INFINITY
  return difference === 0 ? 0 : Math.sqrt(difference / norm)
}
