import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import { kernels } from '../../../trace'
import { axisOf, type Call, type Operators, of, type Value } from '../call'
import { required } from './structure'

/** Slices at indices. Indices that follow from shapes may count from the end; token ids are whole numbers of at least 0. */
function gather(call: Call): g.Node {
  const [x, given] = [call.x(0), call.x(1)]
  const axis = axisOf(call, call.integer('axis', 0), x.shape.length)
  const indices = withoutNegatives(call, given, x.shape[axis])
  return kernels.GatherV2({ x, indices }, { axis, batchDims: 0 }, x.graph) as g.Node
}

function withoutNegatives(call: Call, indices: g.Node, n: number): g.Node {
  const values = call.building.valuesOf(indices)
  if (!values) return indices
  const wrong = values.find((v) => !Number.isInteger(v) || v < -n || v >= n)
  if (wrong !== undefined) throw call.wrong(`index ${wrong} is not in [${-n}, ${n})`)
  return values.some((v) => v < 0)
    ? call.constant(
        values.map((v) => (v < 0 ? v + n : v)),
        indices.shape,
      )
    : indices
}

/** Elements at indices along an axis, one index for each. */
function gatherElements(call: Call): g.Node {
  const x = call.x(0)
  const axis = axisOf(call, call.integer('axis', 0), x.shape.length)
  const indices = withoutNegatives(call, call.x(1), x.shape[axis])
  if (indices.shape.length !== x.shape.length) throw call.wrong('indices must have as many axes as the data')
  const strides = g.stridesOf(x.shape)
  const positions = indices.shape.map((n, i) => {
    const along =
      i === axis
        ? indices
        : g.reshape(
            g.iota(x.graph, n),
            indices.shape.map((_, k) => (k === i ? n : 1)),
          )
    return g.scale(along, strides[i])
  })
  return g.gather(g.reshape(x, [g.sizeOf(x.shape)]), g.broadcast(positions.reduce(g.add), indices.shape))
}

/** Tuples of indices over the first axes, counted from the start where they are known. */
function tuples(call: Call, indices: g.Node, shape: readonly number[]): g.Node {
  const depth = indices.shape.at(-1) ?? 0
  if (!(depth >= 1 && depth <= shape.length))
    throw call.wrong(
      `indices are [${indices.shape}]; the last axis must be 1 to ${countOf(shape.length, 'axis', 'axes')}`,
    )
  const values = call.building.valuesOf(indices)
  if (!values) return indices
  const sizeAt = (i: number) => shape[i % depth]
  const wrong = values.findIndex((v, i) => !Number.isInteger(v) || v < -sizeAt(i) || v >= sizeAt(i))
  if (wrong >= 0) throw call.wrong(`index ${values[wrong]} is not in [${-sizeAt(wrong)}, ${sizeAt(wrong)})`)
  if (values.every((v) => v >= 0)) return indices
  return call.constant(
    values.map((v, i) => (v < 0 ? v + sizeAt(i) : v)),
    indices.shape,
  )
}

function gatherNd(call: Call): g.Node {
  if (call.integer('batch_dims', 0) !== 0) throw call.refuse('has batch_dims')
  const [params, given] = [call.x(0), call.x(1)]
  return kernels.GatherNd({ params, indices: tuples(call, given, params.shape) }, {}, call.graph) as g.Node
}

/** The data where no index points, and the updates where one does: indices are different. */
function scatterNd(call: Call): g.Node {
  const [data, updates] = [call.x(0), call.x(2)]
  const reduction = call.text('reduction', 'none')
  if (reduction !== 'none' && reduction !== 'add') throw call.refuse(`reduces by '${reduction}'`)
  const indices = tuples(call, call.x(1), data.shape)
  const scatter = (values: g.Node) =>
    kernels.ScatterNd({ indices, updates: values }, { shape: [...data.shape] }, call.graph) as g.Node
  if (reduction === 'add') return g.add(data, scatter(updates))
  const hit = scatter(g.fill(call.graph, 1, updates.shape))
  if (call.building.valuesOf(hit)?.some((times) => times > 1))
    throw call.refuse('writes to one place twice, of which the standard does not say what stays')
  return g.select(hit, scatter(updates), data)
}

function oneHot(call: Call): Value {
  const [indices, depth, values] = [call.x(0), required(call, 1)[0], required(call, 2)]
  const rank = indices.shape.length + 1
  const axis = axisOf(call, call.integer('axis', -1), rank)
  const at = g.reshape(indices, indices.shape.toSpliced(axis, 0, 1))
  const turned = g.select(g.less(at, of(at, 0)), g.offset(at, depth), at)
  return {
    node: g.offset(g.scale(g.oneHot(turned, axis, depth), values[1] - values[0]), values[0]),
    kind: call.kind(2),
  }
}

export const indexingOperators: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterND: scatterNd,
  OneHot: oneHot,
}
