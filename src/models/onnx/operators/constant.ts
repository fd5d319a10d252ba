import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import type { Call, Operators, Value } from '../call'
import { required } from './structure'

function shape(call: Call): Value {
  const { shape: all } = call.x()
  const [start, end] = [call.integer('start', 0), call.integer('end', all.length)]
  const sizes = all.slice(start, end)
  return { node: call.constant(sizes, [sizes.length]), kind: 'integer' }
}

/** Most steps of a range: each is a number in the graph. */
const LONGEST_RANGE = 2 ** 20

function range(call: Call): Value {
  const [start, limit, step] = g.range(3).map((i) => required(call, i)[0])
  const count = Math.max(Math.ceil((limit - start) / step), 0)
  if (!(count <= LONGEST_RANGE)) throw call.refuse(`has ${countOf(count, 'step')}; at most ${LONGEST_RANGE} can be`)
  const node = count === 0 ? g.fill(call.graph, 0, [0]) : g.offset(g.scale(g.iota(call.graph, count), step), start)
  return { node, kind: call.kind(0) }
}

function constantOfShape(call: Call): Value {
  const sizes = [...required(call, 0)]
  const value = call.attribute('value')?.t
  const stored = value ? call.building.stored(value, 'the value') : undefined
  return { node: g.fill(call.graph, stored?.values[0] ?? 0, sizes), kind: stored?.kind ?? 'float' }
}

function constant(call: Call): Value {
  const tensor = call.attribute('value')?.t
  if (tensor) {
    const { kind, shape: sizes, values } = call.building.stored(tensor, 'the constant')
    return { node: call.constant(values, sizes), kind }
  }
  for (const [name, list, kind] of [
    ['value_float', [call.attribute('value_float')?.f], 'float'],
    ['value_int', [call.attribute('value_int')?.i], 'integer'],
  ] as const)
    if (call.attribute(name)) return { node: call.constant([list[0] ?? 0], []), kind }
  const [floats, integers] = [call.attribute('value_floats'), call.attribute('value_ints')]
  const values = floats?.floats ?? integers?.ints
  if (values) return { node: call.constant(values, [values.length]), kind: floats ? 'float' : 'integer' }
  throw call.refuse('holds text or a sparse tensor; it must hold numbers')
}

export const constantOperators: Operators = {
  Shape: shape,
  Size: (call) => ({ node: call.constant([g.sizeOf(call.x().shape)], []), kind: 'integer' }),
  Range: range,
  Constant: constant,
  ConstantOfShape: constantOfShape,
}
