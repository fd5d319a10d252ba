import { type Pause, restBy } from '../attacks/contract/pause'
import type { AttackObjective } from '../attacks/matching/objective/attack-objective'
import { normOf } from '../numbers/norms'
import { random } from '../numbers/random'
import { reference } from '../runtime/reference'
import type { Evaluator, Program, Runtime, Values } from '../runtime/runtime'
import type { Finding, SecondOrder } from './report'
import { workOf } from './work'

/** The most work of an evaluation that the interpreter in float64 does in about half a second. */
const SMALL = 3e7
/** Random directions that are tried. */
const DIRECTIONS = 3
/** Part of the slope ‖∇‖ below which a direction is level: what is left of its derivative is cancellation. */
const LEVEL = 0.1
/**
 * How far each unknown may move, and what counts as agreement with a runtime in float32. Of neighbouring steps those are taken
 * whose differences agree best: in float32 rounding spoils short ones, and curvature long ones.
 */
const FLOAT64 = { precision: 'float64', steps: [1e-5, 2e-5], tolerance: 0.01 } as const
const FLOAT32 = { precision: 'float32', steps: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2], tolerance: 0.05 } as const

/**
 * Holds the objective's derivative, as the runtime computes it, to central differences of the objective along random
 * directions at a random point. The objective contains the client's gradient, so this is a check of second derivatives.
 */
export async function checkSecondOrder(
  { program, parameters, point, start }: AttackObjective,
  evaluator: Evaluator,
  runtime: Runtime,
  { seed, kinked, pause }: { seed: number; kinked: boolean; pause: Pause },
): Promise<{ secondOrder: SecondOrder; finding: Finding }> {
  const value: Program = { inputs: program.inputs, outputs: [program.outputs[0]] }
  const small = workOf(value.outputs) <= SMALL
  const { precision, steps: tried, tolerance } = small ? FLOAT64 : FLOAT32
  const draw = random(seed, DIRECTIONS)
  // not at a start of the attack's own, which may be the data themselves, where nothing is left to descend
  const at = (await start(0)).map((v) => v + 0.3 * draw.normal())
  const parts = (x: Float64Array): Values[] => point.partsOf(x)
  const derivative = concatenated((await evaluator.run(parts(at))).slice(2))
  const slope = normOf([derivative])
  const objective = await (small ? reference() : runtime).compile(value)
  try {
    const bound = await objective.bind(parameters)
    try {
      const rest = restBy(pause)
      const along = async (u: Float64Array, h: number): Promise<number> => {
        await rest()
        const [up] = await bound.run(parts(moved(at, u, h)))
        await rest()
        const [down] = await bound.run(parts(moved(at, u, -h)))
        return (up[0] - down[0]) / (2 * h)
      }
      const [errors, instability, steps]: number[][] = [[], [], []]
      for (let i = 0; i < DIRECTIONS; i++) {
        const u = direction(derivative, slope, draw.uniform)
        const claimed = u.reduce((sum, v, j) => sum + v * derivative[j], 0)
        const slopes: number[] = []
        for (const step of tried) slopes.push(await along(u, step))
        const at = steadiest(slopes)
        const size = Math.max(Math.abs(slopes[at]), Math.abs(claimed), LEVEL * slope, Number.MIN_VALUE)
        errors.push(Math.abs(slopes[at] - claimed) / size)
        instability.push(Math.abs(slopes[at] - slopes[at + 1]) / size)
        steps.push(tried[at])
      }
      const secondOrder = { precision, steps, tolerance, errors, instability }
      return { secondOrder, finding: verdict(secondOrder, kinked) }
    } finally {
      bound.dispose()
    }
  } finally {
    objective.dispose()
  }
}

/** Which difference is closest to the next. */
function steadiest(slopes: readonly number[]): number {
  const gaps = slopes.slice(1).map((v, i) => Math.abs(v - slopes[i]))
  return gaps.indexOf(Math.min(...gaps))
}

/** ±1 for every unknown, half of them where the objective rises: along a purely random direction of many it hardly moves. */
const direction = (derivative: Float64Array, slope: number, uniform: () => number): Float64Array =>
  derivative.map((d) => (slope > 0 && uniform() < 0.5 ? Math.sign(d) : uniform() < 0.5 ? -1 : 1))

const moved = (x: Float64Array, u: Float64Array, h: number): Float64Array => x.map((v, i) => v + h * u[i])

const concatenated = (parts: readonly Values[]): Float64Array => Float64Array.from(parts.flatMap((part) => [...part]))

/** @param kinked whether the model has kinks */
function verdict({ precision, steps, tolerance, errors, instability }: SecondOrder, kinked: boolean): Finding {
  const lengths = [...new Set(steps)].map((step) => step.toExponential(0)).join(' and ')
  const measured = `central differences in ${precision} with steps of ${lengths}`
  const steady = errors.filter((_, i) => instability[i] <= tolerance)
  const worst = Math.max(...steady)
  // the wide steps of float32 cross kinks
  if (steady.length === 0 || (kinked && precision === 'float32' && worst > tolerance))
    return {
      ...{ level: 'note', code: 'second-order' },
      message: `the objective's derivative could not be checked: ${measured} mean nothing at the kinks of ReLU and max-pooling, or where the objective is level`,
    }
  if (worst <= tolerance)
    return {
      ...{ level: 'ok', code: 'second-order' },
      message: `the objective's derivative agrees with ${measured} to ${worst.toExponential(0)}, where ${tolerance} is allowed`,
    }
  return {
    ...{ level: 'error', code: 'second-order' },
    message: `the objective's derivative is ${worst.toPrecision(2)} off ${measured}, where ${tolerance} is allowed: a search would be led astray. Try another runtime, and report the model`,
  }
}
