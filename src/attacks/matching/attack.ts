import { squaredNorm } from '../../numbers/values'
import { matrixProducts } from '../../runtime/products'
import { type Evaluator, type Executable, evaluate, type Program } from '../../runtime/runtime'
import { isTrusted, verify } from '../../runtime/verify'
import type { AttackObjective } from './objective/attack-objective'
import type { InputReading, TargetReading } from './point'
import { type Preparing, preparation } from './preparing'
import type { DecidedSettings } from './preset'
import { layoutInputs, objectiveIn, type PointLayout } from './search/evaluation'
import { samplesOf } from './search/optimizers'
import type { Objective } from './search/search'
import type { PortableObjective } from './search/thread-task'

/** One traced, differentiated, compiled and bound objective over a flat vector of unknowns. */
export interface Attack extends Objective {
  /** With every choice made, those of `preset: 'auto'` too. */
  readonly settings: DecidedSettings
  readonly objective: AttackObjective
  readonly runtime: string
  /** Makes the objective as plain data, where another thread can open it. */
  readonly portable: (() => PortableObjective) | undefined
  start(restart: number): Promise<Float64Array>
  /** The first searched input at a point. */
  dataOf(point: Float64Array): Float32Array
  /** Every searched input at a point. */
  inputsOf(point: Float64Array): InputReading[]
  /** The targets of every output with a loss at a point. */
  targetsOf(point: Float64Array): TargetReading[]
  /** The factor that brings the gradient at a point closest to the shared one. Compiles a program of its own. */
  scaleAt(point: Float64Array): Promise<number>
  /** ‖g − g*‖ / ‖g*‖ at a point, whatever the distance. Compiles a program of its own. */
  residualAt(point: Float64Array): Promise<number>
  dispose(): void
}

/**
 * Compiles the objective and binds it: from here on only numbers move.
 *
 * @throws DlgError `runtime`; CUT where the caller has aborted
 */
export async function compileAttack(
  objective: AttackObjective,
  settings: DecidedSettings,
  preparing: Preparing = preparation(),
): Promise<Attack> {
  const { program, smoothed, parameters, lasting, point, start, unit, priorWeight, rounding, noise } = objective
  const samples = settings.batchUpdate === 'one-by-one' ? samplesOf(point.sizes, settings.batchSize) : undefined
  const layout: PointLayout = {
    ...{ sizes: point.sizes, unit, priorWeight, rounding, noise, samples },
    logits: point.logits,
  }
  const held: { dispose(): void }[] = []
  const bound = async (wanted: Program, name: string): Promise<{ executable: Executable; evaluator: Evaluator }> => {
    await preparing(`${name} is compiled`)
    const executable = await settings.runtime.compile(wanted)
    held.push(executable)
    await preparing(`${name} is given its weights`)
    const evaluator = await executable.bind(parameters, lasting, () => preparing(`${name} is opened`))
    held.push(evaluator)
    return { executable, evaluator }
  }
  const dispose = () => {
    for (const resource of held.splice(0).reverse()) resource.dispose()
  }
  try {
    const { executable, evaluator } = await bound(program, 'the program')
    if (settings.verifyRuntime && !isTrusted(executable.runtime)) {
      await preparing(`${executable.runtime} is held against reference`)
      await verify(executable.runtime, evaluator, program, parameters, layoutInputs(layout, await start(0)))
    }
    const smooth = smoothed ? (await bound(smoothed, 'the smoothed program')).evaluator : undefined
    // products pay where handing the runtime a matrix costs nothing
    const inPlace = samples ? undefined : executable.inPlace
    const rows = inPlace ? settings.productRows : 0
    const products = inPlace && rows > 0 ? await matrixProducts(inPlace, rows, point.size) : undefined
    if (products) held.push(products)
    return {
      ...objectiveIn(evaluator, layout, products, smooth),
      settings,
      objective,
      runtime: executable.runtime,
      portable:
        evaluator.portable &&
        (() => ({ program: evaluator.portable!(), smoothed: smooth?.portable?.(), layout, productRows: rows })),
      start,
      dataOf: (at) => Float32Array.from(at.subarray(0, point.sizes[0])),
      inputsOf: point.inputsOf,
      targetsOf: point.targetsOf,
      scaleAt: async (at) => (await evaluate(settings.runtime, objective.scale(), parameters, point.partsOf(at)))[0][0],
      residualAt: async (at) => {
        const [[square]] = await evaluate(settings.runtime, objective.difference(), parameters, point.partsOf(at))
        return Math.sqrt(square / squaredNorm(objective.shared))
      },
      dispose,
    }
  } catch (error) {
    dispose()
    throw error
  }
}
