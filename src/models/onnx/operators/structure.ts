import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import { kernels } from '../../../trace'
import { axisOf, type Call, type Operator, type Operators, of, type Value } from '../call'

/** Axes are an attribute before version 13 of the operators, and an input since. */
export function axesOf(call: Call, rank: number, since = 13): number[] | undefined {
  const given = call.opset < since ? call.integers('axes') : call.known(1)
  return given?.map((axis) => axisOf(call, axis, rank))
}

export const required = (call: Call, i: number): readonly number[] => {
  const values = call.known(i)
  if (values) return values
  throw call.wrong(`has no input ${i}, which the operator needs`)
}

function reshape(call: Call): g.Node {
  const x = call.x()
  const given = call.opset < 5 ? (call.integers('shape') ?? []) : required(call, 1)
  const shape = given.map((n, i) => (n === 0 && !call.integer('allowzero', 0) ? (x.shape[i] ?? 0) : n))
  return g.reshape(x, withOpenAxis(call, shape, g.sizeOf(x.shape)))
}

/** The shape with the one −1 in it as large as it must be. */
function withOpenAxis(call: Call, shape: readonly number[], size: number): number[] {
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1)
  const open = shape.filter((n) => n === -1).length
  const rest = open === 0 ? 1 : size / known
  if (open > 1 || known * rest !== size || !Number.isInteger(rest))
    throw call.wrong(
      `cannot give ${size} elements the shape [${shape}]; where the batch size is written into the file, export with that axis dynamic (dynamic_axes with dynamo=False, dynamic_shapes with dynamo=True), or attack a batch of the size in the file`,
    )
  return shape.map((n) => (n === -1 ? rest : n))
}

function flatten(call: Call): g.Node {
  const x = call.x()
  const given = call.integer('axis', 1)
  const axis = given < 0 ? given + x.shape.length : given
  if (!(axis >= 0 && axis <= x.shape.length))
    throw call.wrong(`axis is ${given}; the input has ${countOf(x.shape.length, 'axis', 'axes')}`)
  return g.reshape(x, [g.sizeOf(x.shape.slice(0, axis)), g.sizeOf(x.shape.slice(axis))])
}

function squeeze(call: Call): g.Node {
  const x = call.x()
  const axes = axesOf(call, x.shape.length) ?? x.shape.flatMap((n, i) => (n === 1 ? [i] : []))
  return g.reshape(
    x,
    x.shape.filter((_, i) => !axes.includes(i)),
  )
}

function unsqueeze(call: Call): g.Node {
  const x = call.x()
  const given = call.opset < 13 ? (call.integers('axes') ?? []) : required(call, 1)
  const rank = x.shape.length + given.length
  const axes = given.map((axis) => axisOf(call, axis, rank))
  const rest = [...x.shape]
  return g.reshape(
    x,
    g.range(rank).map((i) => (axes.includes(i) ? 1 : rest.shift()!)),
  )
}

function concat(call: Call): g.Node {
  const parts = call.inputs.map((_, i) => call.x(i)).filter((n) => g.sizeOf(n.shape) > 0)
  if (parts.length === 0) return call.x()
  return g.concat(parts, axisOf(call, call.integer('axis', 1), parts[0].shape.length))
}

function split(call: Call): g.Node[] {
  const x = call.x()
  const axis = axisOf(call, call.integer('axis', 0), x.shape.length)
  const given = call.opset < 13 ? call.integers('split') : call.known(1)
  const each = Math.ceil(x.shape[axis] / call.outputs)
  const sizes = given ?? g.range(call.outputs).map((i) => Math.min(each, x.shape[axis] - i * each))
  if (sizes.length !== call.outputs || sizes.reduce((sum, size) => sum + size, 0) !== x.shape[axis])
    throw call.wrong(
      `splits ${x.shape[axis]} into [${sizes}]; the parts must add up to it, one for each of ${countOf(call.outputs, 'output')}`,
    )
  let begin = 0
  return sizes.map((size) => {
    begin += size
    return part(x, axis, begin - size, size)
  })
}

/** A sequence of parts: of equal sizes, of sizes that are given, or of one each without the axis. */
function splitToSequence(call: Call): Value {
  const x = call.x()
  const axis = axisOf(call, call.integer('axis', 0), x.shape.length)
  const length = x.shape[axis]
  const given = call.known(1)
  const scalar = call.optional(1)?.shape.length === 0
  const [each] = given && scalar ? given : [1]
  if (!(Number.isInteger(each) && each > 0)) throw call.wrong(`is split into parts of ${each}`)
  const equal = Array.from({ length: Math.ceil(length / each) }, (_, i) => Math.min(each, length - i * each))
  const sizes = given && !scalar ? given : equal
  if (sizes.reduce((sum, size) => sum + size, 0) !== length)
    throw call.wrong(`the parts [${sizes}] must add up to ${length}`)
  let begin = 0
  const parts = sizes.map((size) => {
    begin += size
    return part(x, axis, begin - size, size)
  })
  const flat = !given && call.integer('keepdims', 1) === 0
  return sequence(call, flat ? parts.map((each) => g.reshape(each, x.shape.toSpliced(axis, 1))) : parts)
}

function sequence(call: Call, parts: readonly g.Node[]): Value {
  if (parts.length === 0) throw call.refuse('makes an empty sequence')
  return { node: parts[0], kind: call.kind(0), parts }
}

function sequenceAt(call: Call): g.Node {
  const parts = call.sequence(0)
  const [position] = required(call, 1)
  return parts[axisOf(call, position, parts.length)]
}

function concatFromSequence(call: Call): g.Node {
  const parts = call.sequence(0)
  const stacked = call.integer('new_axis', 0) === 1
  const axis = axisOf(call, call.integer('axis', 0), parts[0].shape.length + (stacked ? 1 : 0))
  return g.concat(stacked ? parts.map((each) => g.reshape(each, each.shape.toSpliced(axis, 0, 1))) : parts, axis)
}

/** Neighbouring elements of an axis, which may be none. */
const part = (x: g.Node, axis: number, begin: number, size: number): g.Node =>
  size === 0 || g.sizeOf(x.shape) === 0
    ? g.fill(x.graph, 0, x.shape.with(axis, size))
    : g.sliceAxis(x, axis, begin, size)

/** The largest integers of 32 and of 64 bits. */
const ENDS: ReadonlySet<number> = new Set([2 ** 31 - 1, 2 ** 63])

function slice(call: Call): g.Node {
  const x = call.x()
  const rank = x.shape.length
  const old = call.opset < 10
  const starts = old ? (call.integers('starts') ?? []) : required(call, 1)
  const ends = old ? (call.integers('ends') ?? []) : required(call, 2)
  const axes = (old ? call.integers('axes') : call.known(3)) ?? starts.map((_, i) => i)
  const steps = (old ? undefined : call.known(4)) ?? starts.map(() => 1)
  return axes.reduce<g.Node>((y, given, i) => {
    const axis = axisOf(call, given, rank)
    const n = y.shape[axis]
    const [step, from, to] = [steps[i], starts[i], ends[i]]
    if (!Number.isInteger(step) || step === 0 || from === undefined || to === undefined)
      throw call.wrong(`slices from ${from} to ${to} by ${step}`)
    // a negative step reads the reversed axis forwards
    const source = step < 0 ? g.reverse(y, [axis]) : y
    const at = (position: number) => (step < 0 ? n - 1 - fromEnd(position, n) : fromEnd(position, n))
    // backwards, a start before the first element reads that one; forwards, one behind the last reads none
    const begin = Math.min(Math.max(at(from), 0), step < 0 ? Math.max(n - 1, 0) : n)
    // backwards, the largest integer means all, as in onnxruntime
    const end = step < 0 && ENDS.has(to) ? n : Math.min(Math.max(at(to), 0), n)
    const count = Math.max(Math.ceil((end - begin) / Math.abs(step)), 0)
    if (count === 0 || g.sizeOf(y.shape) === 0) return g.fill(y.graph, 0, y.shape.with(axis, count))
    return g.slice(
      source,
      y.shape.map((_, k) => (k === axis ? begin : 0)),
      y.shape.with(axis, count),
      y.shape.map((_, k) => (k === axis ? Math.abs(step) : 1)),
    )
  }, x)
}

const fromEnd = (position: number, n: number): number => (position < 0 ? position + n : position)

/** Negative amounts crop. */
function pad(call: Call): g.Node {
  const x = call.x()
  const rank = x.shape.length
  const old = call.opset < 11
  const given = old ? (call.integers('pads') ?? []) : required(call, 1)
  const axes = (old ? undefined : call.known(3))?.map((axis) => axisOf(call, axis, rank)) ?? g.range(rank)
  if (given.length !== 2 * axes.length || !given.every(Number.isInteger))
    throw call.wrong(
      `pads are [${given}]; two whole numbers are needed for each of ${countOf(axes.length, 'axis', 'axes')}`,
    )
  const value = old ? call.number('value', 0) : (call.known(2)?.[0] ?? 0)
  const mode = call.text('mode', 'constant')
  if (!['constant', 'reflect', 'edge', 'wrap'].includes(mode)) throw call.refuse(`pads by mode '${mode}'`)
  return axes.reduce<g.Node>((y, axis, i) => {
    const [low, high] = [given[i], given[i + axes.length]]
    const n = y.shape[axis]
    const begin = Math.max(-low, 0)
    const cropped = low < 0 || high < 0 ? part(y, axis, begin, n - begin - Math.max(-high, 0)) : y
    return padAxis(call, cropped, axis, Math.max(low, 0), Math.max(high, 0), mode, value)
  }, x)
}

function padAxis(call: Call, x: g.Node, axis: number, low: number, high: number, mode: string, value: number): g.Node {
  const n = x.shape[axis]
  const amounts = (amount: number) => x.shape.map((_, i) => (i === axis ? amount : 0))
  if (mode === 'constant') return g.surround(x, amounts(low), amounts(high), value)
  if (mode === 'edge') {
    const border = (at: number, count: number) =>
      count === 0 ? [] : [g.broadcast(g.sliceAxis(x, axis, at, 1), x.shape.with(axis, count))]
    return g.concat([...border(0, low), x, ...border(n - 1, high)], axis)
  }
  const most = mode === 'reflect' ? n - 1 : n
  if (low > most || high > most)
    throw call.refuse(`pads ${n} elements by ${Math.max(low, high)}; at most ${most} can be`)
  const cut = (at: number, count: number) => (count === 0 ? [] : [g.sliceAxis(x, axis, at, count)])
  if (mode === 'wrap') return g.concat([...cut(n - low, low), x, ...cut(0, high)], axis)
  const mirrored = (parts: g.Node[]) => parts.map((node) => g.reverse(node, [axis]))
  return g.concat([...mirrored(cut(1, low)), x, ...mirrored(cut(n - 1 - high, high))], axis)
}

function expand(call: Call): g.Node {
  const x = call.x()
  return g.broadcast(x, g.broadcastShapes(x.shape, [...required(call, 1)]))
}

function tile(call: Call): g.Node {
  const [x, reps] = [call.x(), required(call, 1)]
  if (reps.length !== x.shape.length || !reps.every((n) => n >= 0 && Number.isInteger(n)))
    throw call.wrong(`repeats [${reps}] do not fit [${x.shape}]`)
  return kernels.Tile({ x }, { reps }, x.graph) as g.Node
}

/** The lower or upper triangle of the last two axes, from the k-th diagonal on. */
function trilu(call: Call): g.Node {
  const x = call.x()
  if (x.shape.length < 2) throw call.wrong(`[${x.shape}] must have two axes at least`)
  const k = call.known(1)?.[0] ?? 0
  const [rows, columns] = x.shape.slice(-2)
  const row = g.reshape(g.iota(x.graph, rows), [rows, 1])
  const column = g.reshape(g.iota(x.graph, columns), [1, columns])
  const beyond = g.sub(column, row)
  const kept = call.integer('upper', 1) ? g.less(of(x, k - 0.5), beyond) : g.less(beyond, of(x, k + 0.5))
  return g.select(kept, x, of(x, 0))
}

/** [N, C, H, W] with blocks of channels spread over space (DCR or CRD). */
function depthToSpace(call: Call): g.Node {
  const x = call.x()
  const [n, c, h, w] = x.shape
  const block = call.integer('blocksize', 1)
  const depth = c / block ** 2
  if (call.text('mode', 'DCR') === 'CRD') {
    const split = g.reshape(x, [n, depth, block, block, h, w])
    return g.reshape(g.transpose(split, [0, 1, 4, 2, 5, 3]), [n, depth, h * block, w * block])
  }
  const split = g.reshape(x, [n, block, block, depth, h, w])
  return g.reshape(g.transpose(split, [0, 3, 4, 1, 5, 2]), [n, depth, h * block, w * block])
}

function spaceToDepth(call: Call): g.Node {
  const x = call.x()
  const [n, c, h, w] = x.shape
  const block = call.integer('blocksize', 1)
  const split = g.reshape(x, [n, c, h / block, block, w / block, block])
  return g.reshape(g.transpose(split, [0, 3, 5, 1, 2, 4]), [n, c * block ** 2, h / block, w / block])
}

const transpose: Operator = (call) => {
  const x = call.x()
  return g.transpose(x, call.integers('perm') ?? g.range(x.shape.length).reverse())
}

const cumulative: Operator = (call) => {
  const axis = axisOf(call, required(call, 1)[0], call.x().shape.length)
  const attributes = { axis, exclusive: call.integer('exclusive', 0) === 1, reverse: call.integer('reverse', 0) === 1 }
  return kernels.Cumsum({ x: call.x() }, attributes, call.graph)
}

export const structureOperators: Operators = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  SplitToSequence: splitToSequence,
  SequenceConstruct: (call) =>
    sequence(
      call,
      call.inputs.map((_, i) => call.x(i)),
    ),
  SequenceAt: sequenceAt,
  ConcatFromSequence: concatFromSequence,
  Slice: slice,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  Trilu: trilu,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Transpose: transpose,
  CumSum: cumulative,
}
