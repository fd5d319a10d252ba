import { type ConvGeometry, concat, convInputGrad, type Node, range, type Shape, sameShape, sizeOf } from '../../graph'
import { added } from './emit'
import { readersOf, rebuiltAll } from './readers'

/** Most outputs, and most numbers, of joined filters: where they are few, adding up what overlaps takes longer than the products before it. */
const MOST_OUTPUTS = 64
const MOST_NUMBERS = 2 ** 14

/** The gradient of a convolution's input: of ⟨y, conv(x, w)⟩, for x of this shape. */
interface InputGradient {
  readonly term: Node
  readonly y: Node
  readonly w: Node
  readonly geometry: ConvGeometry
}

/**
 * Sums of gradients of one convolution's input, as one such gradient: ∂⟨y, conv(x, w)⟩/∂x + ∂⟨z, conv(x, v)⟩/∂x is that of the outputs of both filters side
 * by side. What overlaps is then added up once.
 */
export function joinInputGradients(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  return rebuiltAll(outputs, (node, before) => {
    if (node.op !== 'add') return node
    const gradients = node.inputs.flatMap((term, i) => {
      const found = readers.get(before.inputs[i])!.length === 1 ? inputGradientOf(term) : undefined
      return found && sameShape(term.shape, node.shape) ? [found] : []
    })
    const group = gradients.filter((gradient) => isAlike(gradient, gradients[0]))
    if (group.length < 2 || group.every(({ w }) => !w.varying) || !isSmall(group)) return node
    const joined = new Set(group.map(({ term }) => term))
    return added([sideBySide(group, node.shape), ...node.inputs.filter((term) => !joined.has(term))])
  })
}

function inputGradientOf(term: Node): InputGradient | undefined {
  const [y, w] = term.inputs
  if (term.op === 'convInputGrad')
    return term.attributes.groups === 1 ? { term, y, w, geometry: term.attributes } : undefined
  return term.op === 'conv' && term.inputs.length === 2 ? turnedBack(term) : undefined
}

/** A convolution with a filter that was turned round, as the gradient that it was made from. */
function turnedBack(term: Node<'conv'>): InputGradient | undefined {
  const [y, turned] = term.inputs
  const { strides, padLow, dilations, groups } = term.attributes
  if (turned.op !== 'transpose' || groups !== 1 || strides.some((s) => s !== 1)) return undefined
  const [reversed] = turned.inputs
  const axes = range(strides.length).map((i) => i + 2)
  const isTurned = sameShape(turned.attributes.permutation, [1, 0, ...axes])
  if (!isTurned || reversed.op !== 'reverse' || !sameShape(reversed.attributes.axes, axes)) return undefined
  const [w] = reversed.inputs
  const reach = axes.map((axis, i) => (w.shape[axis] - 1) * dilations[i])
  const low = padLow.map((pad, i) => reach[i] - pad)
  const high = axes.map((axis, i) => y.shape[axis] - term.shape[axis] - low[i] + reach[i])
  return { term, y, w, geometry: { ...term.attributes, padLow: low, padHigh: high } }
}

/** Whether two gradients differ in nothing but what they are of, and how many outputs it has. */
const isAlike = (a: InputGradient, b: InputGradient): boolean =>
  sameShape(a.w.shape.with(0, 1), b.w.shape.with(0, 1)) &&
  sameShape(a.y.shape.with(1, 1), b.y.shape.with(1, 1)) &&
  (['strides', 'padLow', 'padHigh', 'dilations'] as const).every((key) => sameShape(a.geometry[key], b.geometry[key]))

const isSmall = (group: readonly InputGradient[]): boolean =>
  group.reduce((sum, { w }) => sum + w.shape[0], 0) <= MOST_OUTPUTS &&
  group.reduce((sum, { w }) => sum + sizeOf(w.shape), 0) <= MOST_NUMBERS

const sideBySide = (group: readonly InputGradient[], shape: Shape): Node =>
  convInputGrad(concat(group.map(({ y }) => y), 1), concat(group.map(({ w }) => w), 0), group[0].geometry, shape) // biome-ignore format: one line
