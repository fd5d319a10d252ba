import type { Node } from '../graph'
import type { Values } from '../numbers/values'

export type { Values }

/** A program for a runtime: the outputs wanted, and the order of the inputs. */
export interface Program {
  readonly inputs: readonly Node<'input'>[]
  readonly outputs: readonly Node[]
}

/**
 * Runs graphs. A runtime is given the whole program before the first number, so it can plan; then weights and shared
 * gradients are bound once, and the inputs move with every evaluation.
 */
export interface Runtime {
  readonly name: string
  /** Precision of the arithmetic. */
  readonly precision: 'float32' | 'float64'
  /** @throws DlgError `runtime` when it lacks an operation or cannot start. */
  compile(program: Program): Promise<Executable>
}

/** A compiled program. */
export interface Executable {
  /** The name of what runs it, for reports: `reference`, `tfjs:wasm`, `onnx:cpu`. */
  readonly runtime: string
  /**
   * The runtime beside it that reads float32 inputs where they lie, so that large matrices cost nothing to hand over: itself, or the
   * processor next to a GPU. Undefined where there is none.
   */
  readonly inPlace?: Runtime
  /**
   * Gives every parameter of the program its values, by name. They must not change while the evaluator is in use: it may read them where they lie.
   *
   * @param lasting names of parameters whose values stay for many runs: the program may be compiled for them, which takes
   * time and makes every run faster
   * @param opening awaited where binding takes long in two parts, between them: what is bound once is computed, and what runs it is made next
   */
  bind(
    parameters: ReadonlyMap<string, Values>,
    lasting?: ReadonlySet<string>,
    opening?: () => Promise<void>,
  ): Promise<Evaluator>
  /** Frees everything the program holds. Its evaluators must not be used afterwards. */
  dispose(): void
}

/** A program whose parameters are bound. */
export interface Evaluator {
  /** The outputs at these inputs, in the program's order. The arrays belong to the caller. */
  run(inputs: readonly Values[]): Promise<Values[]>
  /** Makes the bound program as plain data, where another thread can open and run it. It is as large as the model, so nobody keeps it. */
  readonly portable?: () => PortableProgram
  /** Frees what the bound program holds. It must not be run afterwards. */
  dispose(): void
}

/** A compiled and bound program as plain data, which another thread can open. Only its own runtime knows what is inside. */
export interface PortableProgram {
  /** The runtime that opens it. */
  readonly runtime: string
  readonly content: unknown
}

/** Compiles, binds and runs once. */
export async function evaluate(
  runtime: Runtime,
  program: Program,
  parameters: ReadonlyMap<string, Values>,
  inputs: readonly Values[],
): Promise<Values[]> {
  const executable = await runtime.compile(program)
  try {
    const evaluator = await executable.bind(parameters)
    try {
      return await evaluator.run(inputs)
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}
