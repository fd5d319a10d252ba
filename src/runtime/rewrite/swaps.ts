import { type Node, sameShape, sizeOf, swapLast } from '../../graph'
import { squeezedSum } from '../plan'
import { type Readers, readersOf, rebuiltAll } from './readers'

/**
 * (A·B)ᵀ = Bᵀ·Aᵀ and (X + Y)ᵀ = Xᵀ + Yᵀ, where nobody reads them the other way: products read transposed factors at no cost. The
 * last axis stays the last one under what is left of a transpose: rows are copied whole.
 */
export function turnProducts(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  return rebuiltAll(outputs, (node, before) => {
    if (node.op !== 'transpose') return node
    const { permutation } = node.attributes
    const last = permutation.length - 1
    if (permutation[last] !== last - 1 || !canTurn(before.inputs[0], readers)) return node
    const order = swapped(permutation, last)
    const product = turned(node.inputs[0])
    return isIdentity(order) ? product : node.graph.intern('transpose', [product], { permutation: order }, node.shape)
  })
}

const isIdentity = (order: readonly number[]): boolean => order.every((axis, i) => axis === i)

/** A permutation of the node whose last two axes are exchanged. */
const swapped = (permutation: readonly number[], last: number): number[] =>
  permutation.map((axis) => (axis === last ? last - 1 : axis === last - 1 ? last : axis))

/** Whether a node turned round costs no more than it does now. */
function canTurn(node: Node, readers: Readers): boolean {
  if (!node.varying || readers.get(node)?.length !== 1) return false
  if (node.op === 'matMul') return true
  return (node.op === 'add' || node.op === 'sub') && node.inputs.every((n) => sameShape(n.shape, node.shape) && canTurn(n, readers)) // biome-ignore format: one line
}

function turned(node: Node): Node {
  const rank = node.shape.length
  const shape = [...node.shape.slice(0, rank - 2), node.shape[rank - 1], node.shape[rank - 2]]
  if (node.op === 'matMul') {
    const [a, b] = node.inputs
    return node.graph.intern('matMul', [swapLast(b), swapLast(a)], node.attributes, shape)
  }
  return node.graph.intern(node.op, node.inputs.map(turned), {}, shape)
}

/** A product that is one column, which nobody but a reshape reads, as a row. */
export function columnsAsRows(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  return rebuiltAll(outputs, (node, before) => {
    const [column] = node.inputs
    if (node.op !== 'reshape' || column.op !== 'matMul' || readers.get(before.inputs[0])!.length > 1) return node
    if (column.shape.length !== 2 || column.shape[1] !== 1 || column.shape[0] === 1) return node
    return node.graph.intern('reshape', [turned(column)], {}, node.shape)
  })
}

/** X + Y of one shape, both read under another one, is one sum under it, where nobody else reads what is added. */
export function joinReshapes(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  return rebuiltAll(outputs, (node, before) => {
    if (node.op !== 'add' && node.op !== 'sub') return node
    const [{ shape }] = node.inputs[0].inputs.length > 0 ? node.inputs[0].inputs : node.inputs
    const same = node.inputs.every(
      (n, i) =>
        n.op === 'reshape' &&
        // a sum takes its axes off by itself
        !squeezedSum(n) &&
        sameShape(n.shape, node.shape) &&
        sameShape(n.inputs[0].shape, shape) &&
        readers.get(before.inputs[i])!.length === 1,
    )
    if (!same) return node
    const sum = node.graph.intern(node.op, node.inputs.map((n) => n.inputs[0]), {}, shape) // biome-ignore format: one line
    return node.graph.intern('reshape', [sum], {}, node.shape)
  })
}

/** Tᵖ(X) + Tᵖ(Y) = Tᵖ(X + Y), where nobody else reads the two. */
export function joinTransposes(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  return rebuiltAll(outputs, (node, before) => {
    if (node.op !== 'add' && node.op !== 'sub') return node
    const [first] = node.inputs
    if (first.op !== 'transpose') return node
    const { permutation } = first.attributes
    const same = node.inputs.every(
      (n, i) =>
        n.op === 'transpose' &&
        readers.get(before.inputs[i])!.length === 1 &&
        sameShape(n.attributes.permutation, permutation),
    )
    if (!same) return node
    const sum = node.graph.intern(
      node.op,
      node.inputs.map((n) => n.inputs[0]),
      {},
      first.inputs[0].shape,
    )
    return node.graph.intern('transpose', [sum], { permutation }, node.shape)
  })
}

/** Two transposes of a node that differ by their last two axes are one, which products read turned round. */
export function shareTransposes(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  const multiplied = (node: Node) =>
    readers.get(node)!.every((r) => r !== 'output' && (r.op === 'matMul' || r.op === 'gemm') && r.inputs[2] !== node)
  const straight = new Map<string, Node>()
  const keyOf = (source: Node, permutation: readonly number[]) => `${source.id} ${permutation}`
  return rebuiltAll(outputs, (node, before) => {
    if (node.op !== 'transpose' || node.shape.length < 3) return node
    const { permutation } = node.attributes
    const last = permutation.length - 1
    const [source] = node.inputs
    const twin = straight.get(
      keyOf(source, permutation.with(last, permutation[last - 1]).with(last - 1, permutation[last])),
    )
    if (twin && multiplied(before)) return swapRaw(twin)
    straight.set(keyOf(source, permutation), node)
    return node
  })
}

/** The transpose of the last two axes as a node of its own, which products read through. */
export function swapRaw(node: Node): Node {
  const last = node.shape.length - 1
  const order = node.shape.map((_, i) => (i === last ? last - 1 : i === last - 1 ? last : i))
  return node.graph.intern('transpose', [node], { permutation: order }, order.map((axis) => node.shape[axis])) // biome-ignore format: one line
}

/** Parts of one node that are all transposed alike: the node is transposed, and taken apart afterwards. */
export function transposeWhole(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  const partsOf = new Map<Node, Node<'slice'>[]>()
  for (const node of readers.keys())
    if (node.op === 'slice' && node.varying) partsOf.set(node.inputs[0], [...(partsOf.get(node.inputs[0]) ?? []), node])
  const replaced = new Set<Node>()
  for (const [source, parts] of partsOf) {
    const all = parts.flatMap((part) => readers.get(part)!)
    const transposes = all.filter((n): n is Node<'transpose'> => n !== 'output' && n.op === 'transpose')
    if (transposes.length < all.length || parts.length < 2 || parts.length < readers.get(source)!.length) continue
    const order = straight(transposes[0].attributes.permutation)
    const same = transposes.every((t) => sameShape(straight(t.attributes.permutation), order))
    const elements = parts.reduce((sum, part) => sum + sizeOf(part.shape), 0)
    if (same && elements === sizeOf(source.shape)) for (const t of transposes) replaced.add(t)
  }
  return rebuiltAll(outputs, (node, before) => {
    if (!replaced.has(before) || node.op !== 'transpose') return node
    const [part] = node.inputs as [Node<'slice'>]
    const [source] = part.inputs
    const order = straight(node.attributes.permutation)
    const move = (list: readonly number[]) => order.map((axis) => list[axis])
    const whole = node.graph.intern('transpose', [source], { permutation: order }, move(source.shape))
    const moved = node.graph.intern('slice', [whole], { start: move(part.attributes.start) }, move(part.shape))
    return sameShape(order, node.attributes.permutation) ? moved : swapRaw(moved)
  })
}

/** The permutation with the last axis last, where it is the last but one. */
const straight = (permutation: readonly number[]): readonly number[] => {
  const last = permutation.length - 1
  return permutation[last - 1] === last ? swappedPlaces(permutation) : permutation
}

const swappedPlaces = (permutation: readonly number[]): readonly number[] => {
  const last = permutation.length - 1
  return permutation.with(last, permutation[last - 1]).with(last - 1, permutation[last])
}

/** Σ aᵢbᵢ of two rows, where nobody else reads the products: a matrix product of one number. */
export function multiplyRows(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  return rebuiltAll(outputs, (node, before) => {
    const [products] = node.inputs
    if (node.op !== 'sum' || products.op !== 'mul' || readers.get(before.inputs[0])!.length > 1) return node
    const [a, b] = products.inputs
    const { shape } = products
    const areRows = shape.length === 2 && shape[0] === 1 && sameShape(a.shape, shape) && sameShape(b.shape, shape)
    if (a === b || !areRows || !sameShape(node.attributes.axes, [1])) return node
    return node.graph.intern('matMul', [a, swapRaw(b)], {}, node.shape)
  })
}
