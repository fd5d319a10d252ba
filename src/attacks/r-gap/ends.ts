import { weightParameter } from '../../client/model/gradient'
import { type PlainTargets, targetKind, targetRows } from '../../client/target-values'
import * as g from '../../graph'
import { sizeOf } from '../../graph'
import type { Values } from '../../numbers/values'
import { inner, lengthOf } from '../../numbers/vectors'
import { reference } from '../../runtime/reference'
import type { Chain } from './chain'
import type { End } from './recursion'

/** What the last layer may have read, with the targets that its gradient then shows. */
export interface ReadEnd extends End {
  readonly targets: PlainTargets
  /** Whether the caller gave the targets; otherwise they were read. */
  readonly given: boolean
  /** The class of the sample, where the output has classes and δ is that of one. */
  readonly labels?: readonly number[]
  /** Whether the targets are no single class: a smoothed label, or a factor of what was shared. */
  readonly soft: boolean
}

/** Lengths of what a last layer without bias may have read, by powers of ten: 40 to a decade. */
const LENGTHS = Array.from({ length: 321 }, (_, i) => 10 ** (-4 + i / 40))

/** Halvings of an interval of lengths. */
const HALVINGS = 60

/** Part by which ∂W of the last layer may differ from one product δ xᵀ, and δ from the one that the loss makes, at least. */
const ALIKE = 1e-3

/** How many times the relative error of what was shared these may be off. */
const LOST = 3

/**
 * What the last layer reads. With a bias x = ∂W δ / ‖δ‖², δ = ∂b. Without one ∂W = σ d vᵀ leaves the length of x = s d open: every s is
 * tried at which the loss itself has s ∂L/∂z(s d W) = σ v. There may be several.
 *
 * @param labels the class of the sample, where it is known
 * @param error relative error of what was shared
 * @returns why there is none
 * @throws DlgError `invalid-data` for a class that the output does not have
 */
export async function endsOf(
  chain: Chain,
  gradients: readonly Values[],
  labels: readonly number[] | undefined,
  error = 0,
): Promise<ReadEnd[] | string> {
  const alike = Math.max(ALIKE, LOST * error)
  const { links, bound, traced } = chain
  const link = links[links.length - 1]
  const { numbers, width, source, kernel, weight, bias } = link
  const [output] = traced.outputs
  const kind = targetKind(output)
  const known = labels && Float64Array.from(targetRows({ labels }, output))
  const at = traced.graph
  const z = g.input(at, 'last product', link.product.shape)
  const [loss] = g.substitute([traced.dataLoss], new Map<g.Node, g.Node>([[link.product, z]]))
  const [target] = traced.targets
  const evaluator = await (
    await reference().compile({ inputs: [z, target as g.Node<'input'>], outputs: g.grad(loss, [z]) })
  ).bind(bound)
  try {
    const feltAt = async (values: Float64Array, rows: Float64Array): Promise<Float64Array> => {
      const product = new Float64Array(width)
      for (let o = 0; o < width; o++) product[link.output[o]] = values[o]
      const [found] = await evaluator.run([product, rows])
      return Float64Array.from(link.output, (i) => found[i])
    }
    const dW = Float64Array.from(kernel, (i) => gradients[weight][i])
    const weights = Float64Array.from(kernel, (i) => bound.get(weightParameter(traced.trained[weight]))![i])
    const { direction, felt: v, size, rest } = firstDirection(dW, numbers, width)
    if (!(size > 0)) return 'the gradient of the last layer is zero'
    if (rest > alike)
      return `${rest.toExponential(1)} of the gradient of the last layer is no product δ xᵀ: it is of several samples, or has noise`
    const products = timesWeights(direction, weights, numbers, width)
    const wide = sizeOf(output.node.shape)
    /** The targets that a δ of this direction shows. */
    const shown = async (signed: Float64Array, values: Float64Array) => {
      if (known) return known
      if (kind === 'classes') return classRow(wide, least(signed))
      if (kind === 'bits') return signed.map((d) => (d < 0 ? 1 : 0))
      return numbersShown(signed, values, feltAt)
    }
    const read = (s: number) => {
      const x = new Float64Array(link.unknowns)
      for (let j = 0; j < numbers; j++) x[source[j]] = s * direction[j]
      return x
    }
    const ended = (s: number, felt: Float64Array, rows: Float64Array, soft = false): ReadEnd => ({
      ...{ read: read(s), felt, soft, given: labels !== undefined },
      targets: { shape: output.node.shape, values: rows },
      ...(kind === 'classes' && !soft && { labels: [rows.indexOf(1)] }),
    })
    if (bias !== undefined) {
      const felt = Float64Array.from(gradients[bias])
      const s = (size * inner(v, felt)) / inner(felt, felt)
      const values = products.map((p) => s * p)
      const rows = await shown(felt, values)
      // the loss reads the product through the bias, which it has of its own
      const off = (await feltAt(values, rows)).map((d, o) => d - felt[o])
      const soft = kind === 'classes' && labels === undefined && lengthOf(off) > alike * lengthOf(felt)
      // a cross-entropy's δ is p − y
      return [ended(s, felt, soft ? rows.map((y, o) => y + off[o]) : rows, soft)]
    }
    if (kind === 'numbers')
      return 'the last layer has no bias, and its targets are any numbers: nothing tells the length of what it reads'
    const found: ReadEnd[] = []
    for (const sign of [1, -1]) {
      const rows = await shown(
        v.map((d) => sign * d),
        products,
      )
      const excess = async (s: number) => {
        const felt = await feltAt(
          products.map((p) => sign * s * p),
          rows,
        )
        return { felt, over: s * sign * inner(felt, v) - size }
      }
      let before: { s: number; over: number } | undefined
      for (const s of LENGTHS) {
        const { over } = await excess(s)
        if (before && before.over < 0 !== over < 0) {
          let [low, high] = [before.s, s]
          for (let k = 0; k < HALVINGS; k++) {
            const middle = (low + high) / 2
            if ((await excess(middle)).over < 0 === before.over < 0) low = middle
            else high = middle
          }
          const { felt } = await excess(high)
          const off = lengthOf(felt.map((d, o) => sign * high * d - size * v[o]))
          if (off <= alike * size) found.push(ended(sign * high, felt, rows))
        }
        before = { s, over }
      }
    }
    return found.length > 0 ? found : 'no input of the last layer gives its gradient: the loss is another, or the label'
  } finally {
    evaluator.dispose()
  }
}

/** ∂W ≈ σ d vᵀ with unit vectors, by power iteration, and the part that it leaves. */
function firstDirection(dW: Float64Array, numbers: number, width: number) {
  let v: Float64Array = new Float64Array(width)
  // begin with the row of the largest norm
  let most = 0
  for (let j = 0; j < numbers; j++) {
    const row = dW.subarray(j * width, (j + 1) * width)
    const norm = lengthOf(row)
    if (norm > most) [most, v] = [norm, row.map((x) => x / norm)]
  }
  let direction: Float64Array = new Float64Array(numbers)
  let size = 0
  for (let k = 0; k < 20; k++) {
    direction = Float64Array.from({ length: numbers }, (_, j) => inner(dW.subarray(j * width, (j + 1) * width), v))
    const norm = lengthOf(direction)
    if (norm === 0) break
    direction = direction.map((x) => x / norm)
    v = timesWeights(direction, dW, numbers, width)
    size = lengthOf(v)
    v = v.map((x) => x / size)
  }
  const left = dW.map((x, i) => x - size * direction[Math.floor(i / width)] * v[i % width])
  return { direction, felt: v, size, rest: lengthOf(left) / (lengthOf(dW) || 1) }
}

/** x W, for W [numbers, width]. */
function timesWeights(x: Float64Array, w: Float64Array, numbers: number, width: number): Float64Array {
  const out = new Float64Array(width)
  for (let j = 0; j < numbers; j++) for (let o = 0; o < width; o++) out[o] += x[j] * w[j * width + o]
  return out
}

const least = (values: Float64Array): number => values.reduce((at, v, i) => (v < values[at] ? i : at), 0)

/** The targets of a class. */
const classRow = (width: number, label: number): Float64Array =>
  Float64Array.from({ length: width }, (_, i) => (i === label ? 1 : 0))

/** Targets of a regression, each of which moves its own δ in proportion. */
async function numbersShown(
  felt: Float64Array,
  values: Float64Array,
  feltAt: (values: Float64Array, rows: Float64Array) => Promise<Float64Array>,
): Promise<Float64Array> {
  const zero = await feltAt(values, new Float64Array(felt.length))
  const one = await feltAt(values, new Float64Array(felt.length).fill(1))
  return felt.map((d, i) => (d - zero[i]) / (one[i] - zero[i]))
}
