import type { TracedExample } from '../client/trace-example'
import { reachable } from '../graph'
import { random } from '../numbers/random'
import { squaredNorm } from '../numbers/values'
import { allFinite } from '../optim/vectors'
import type { Values } from '../runtime/runtime'
import { certaintyOf } from './certainty/certainty'
import { floorsOf, reachedParameter, residualProgram, weightOfTensor } from './certainty/shared-residual'

/** A rounding of float32, in units of an unknown. */
const ROUNDING = 2 ** -22
const EVALUATIONS = 200
/** How far two samples are apart whose mixture is tried, in units; and how far above the floor it must show, squared. */
const [SPREAD, CLEAR] = [0.25, 16]

/**
 * Whether a gradient determines the data that it was computed of: no number of the data, and no combination of them that was looked
 * at, can move by their whole range while what was shared stays the same to its precision. Nor may several samples stand
 * behind it: where the mean of the gradients at x + δ and x − δ is that at x, data may be the mean of any number of samples.
 *
 * The labels are taken as they are. Inputs of whole numbers have no slope, so nothing is said of them.
 *
 * @param shared what was shared, by the position of its trained weight; weights that are left out were not shared
 * @returns undefined where no input can be moved
 */
export async function isDetermined(
  { traced, settings, inputs, values, parameters, data }: TracedExample,
  shared: ReadonlyMap<number, Values>,
): Promise<boolean | undefined> {
  const positions = [...shared.keys()]
  const gradients = positions.map((i) => traced.gradients[i])
  const reached = new Set(reachable(gradients))
  const moving = traced.inputs.filter((node, i) => data[i].dtype === 'float32' && reached.has(node))
  const read = moving.map((node) => inputs.indexOf(node))
  if (moving.length === 0) return undefined
  let start = 0
  const groups = read.map((at, i) => {
    const own = Array.from(values[at])
    const [low, high] = own.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [own[0], own[0]])
    const group = { name: moving[i].attributes.name, start, size: own.length, unit: high - low || Math.abs(high) || 1 }
    start += own.length
    return group
  })
  const point = Float64Array.from(read.flatMap((at) => [...values[at]]))
  const placed = (at: Float64Array): Values[] =>
    inputs.map((_, i) => {
      const group = groups[read.indexOf(i)]
      return group ? at.subarray(group.start, group.start + group.size) : values[i]
    })
  const held: { dispose(): void }[] = []
  const bound = async (
    program: Parameters<typeof settings.runtime.compile>[0],
    own: readonly (readonly [string, Values])[],
  ) => {
    const executable = await settings.runtime.compile(program)
    held.push(executable)
    const evaluator = await executable.bind(new Map([...parameters, ...own]))
    held.push(evaluator)
    return evaluator
  }
  try {
    const gradient = await bound({ inputs, outputs: gradients }, [])
    const here = await gradient.run(placed(point))
    const nudged = Float64Array.from(point)
    for (const { start, size, unit } of groups)
      for (let i = start; i < start + size; i++) nudged[i] += (i % 2 === 0 ? 1 : -1) * ROUNDING * unit
    const beside = await gradient.run(placed(nudged))
    const { weights, floor } = floorsOf({
      shared: positions.map((i) => shared.get(i)!),
      reached: here,
      beside,
      lost: positions.map(() => 0),
    })
    const apart = random(1, 0x6d6978)
    const step = point.map(
      (_, i) => SPREAD * groups.find((group) => i < group.start + group.size)!.unit * apart.normal(),
    )
    const [ahead, behind] = [
      await gradient.run(placed(point.map((v, i) => v + step[i]))),
      await gradient.run(placed(point.map((v, i) => v - step[i]))),
    ]
    const shows = here.reduce((sum, values, k) => {
      const mixed = Float64Array.from(values, (v, j) => weights[k] * ((ahead[k][j] + behind[k][j]) / 2 - v))
      return sum + squaredNorm([mixed])
    }, 0)
    if (!(shows > CLEAR * floor)) return false
    const { outputs } = residualProgram(gradients, moving, false)
    const residual = await bound({ inputs, outputs }, [
      ...here.map((v, i) => [reachedParameter(i), v] as const),
      ...weights.map((weight, i) => [weightOfTensor(i), Float64Array.of(weight)] as const),
    ])
    const certainty = await certaintyOf({
      ...{ point, groups, floor, budget: EVALUATIONS },
      numbers: here.reduce((n, { length }) => n + length, 0),
      async evaluate(at) {
        const [, ...derivatives] = await residual.run(placed(at))
        const gradient = Float64Array.from(derivatives.flatMap((v) => [...v]))
        return { gradient: allFinite(gradient) ? gradient : gradient.fill(0) }
      },
    })
    return certainty?.determined
  } finally {
    for (const resource of held.reverse()) resource.dispose()
  }
}
