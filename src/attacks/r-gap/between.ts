import * as g from '../../graph'
import { type Node, type Op, reachable, sizeOf } from '../../graph'
import type { Values } from '../../numbers/values'
import { reference } from '../../runtime/reference'
import { evaluate, type Program } from '../../runtime/runtime'
import { CUT, type Pause } from '../contract/pause'

/** What stands between two linear maps, or between the data and the first: a strictly monotone function of each number alone. */
export interface Between {
  /** What it reads: a product before its bias, or the data. */
  readonly from: Node
  /** What it gives: the source of the next product. */
  readonly to: Node
  /** Which number of `from` each number of `to` is made of; −1 for numbers that are made of none, such as padding. */
  readonly entry: Int32Array
  /** By number of `to`: whether it rises (1) or falls (−1) with its number of `from`; 0 where there is none. */
  readonly sign: Int8Array
}

/** The values of all parameters, by name. */
export type Bound = ReadonlyMap<string, Values>

/** Operations that move numbers about. */
const MOVES: readonly Op[] = ['reshape', 'transpose', 'broadcast', 'slice', 'pad', 'reverse', 'concat']

/** Operations on each number alone. */
const ELEMENTWISE: readonly Op[] = [
  ...(['neg', 'exp', 'log', 'sqrt', 'sigmoid', 'tanh', 'relu', 'softplus', 'abs', 'sign', 'floor', 'ceil'] as const),
  ...(['round', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'asinh', 'acosh', 'atanh'] as const),
  ...(['erf', 'expm1', 'log1p', 'add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'less', 'equal'] as const),
  ...(['gelu', 'geluDerivative', 'geluSecondDerivative', 'select'] as const),
]

/** Operations that can be level on a whole range. A sigmoid is level only beyond the precision of its numbers. */
const LEVEL: readonly Op[] = ['relu', 'maximum', 'minimum', 'select', 'abs', 'sign', 'floor', 'ceil', 'round', 'less']

/** What other operations are in words. */
const WORDS: Partial<Record<Op, string>> = {
  sum: 'a sum, as in a normalisation or a pool over everything',
  max: 'a maximum over an axis',
  matMul: 'a product without trained weights of its own',
  conv: 'a convolution in groups or without trained weights of its own, such as average pooling',
  convInputGrad: 'a transposed convolution',
  gather: 'an embedding',
  softmax: 'a soft-max',
}

/** Inputs at which monotony is tried: steps of a quarter in [−8, 8]. */
const TRIED = Array.from({ length: 65 }, (_, i) => (i - 32) / 4)

/**
 * Recognises a function of each number alone by its operations, follows every number through reshapes and padding, and tries on a grid
 * whether the function is strictly monotone.
 *
 * @returns why there is none, where it mixes numbers or has no inverse
 */
export async function betweenOf(from: Node, to: Node, bound: Bound): Promise<Between | string> {
  const moving = new Set<Node>([from])
  for (const node of reachable([to])) if (node.inputs.some((n) => moving.has(n))) moving.add(node)
  const nodes = [...moving].sort((a, b) => a.id - b.id)
  const strange = nodes.find(({ op, id }) => id !== from.id && !MOVES.includes(op) && !ELEMENTWISE.includes(op))
  if (strange) return `between two layers stands ${WORDS[strange.op] ?? `the operation '${strange.op}'`}`
  const entry = await entriesOf(from, to, nodes)
  if (!entry) return 'between two layers numbers are mixed, as a pool or a skip connection does'
  const opened = await openBetween({ from, to, entry, sign: new Int8Array(entry.length) }, bound)
  try {
    const sign = await opened.signs(nodes.some(({ op }) => LEVEL.includes(op)))
    if (sign) return { from, to, entry, sign }
    const relu = nodes.some(({ op }) => op === 'relu')
    return `an activation is not strictly monotone${relu ? ' (ReLU)' : ''}: its output does not tell its input`
  } finally {
    opened.dispose()
  }
}

/** Which number of `from` each number of `to` is made of; undefined where one is made of several. */
async function entriesOf(from: Node, to: Node, nodes: readonly Node[]): Promise<Int32Array | undefined> {
  const { graph } = from
  const places = g.input(graph, `places of ${from.id}`, from.shape)
  // of all operands the largest and the smallest place: one number alone where both are the same
  const found = (merge: (a: Node, b: Node) => Node): Node => {
    const made = new Map<Node, Node>([[from, places]])
    for (const node of nodes) {
      if (node === from) continue
      const operands = node.inputs.flatMap((n) => made.get(n) ?? [])
      made.set(
        node,
        MOVES.includes(node.op)
          ? graph.intern(
              node.op,
              node.inputs.map((n) => made.get(n) ?? g.fill(graph, 0, n.shape)),
              node.attributes,
              node.shape,
            )
          : operands.map((n) => g.broadcast(n, node.shape)).reduce(merge),
      )
    }
    return made.get(to) ?? places
  }
  const outputs = [found(g.maximum), found(g.minimum)]
  const counted = Float64Array.from({ length: sizeOf(from.shape) }, (_, i) => i + 1)
  const [high, low] = await evaluate(reference(), { inputs: [places], outputs }, new Map(), [counted])
  if (high.some((v, i) => v !== low[i])) return undefined
  return Int32Array.from(high, (v) => v - 1)
}

/** A function between two layers that can be evaluated, differentiated and inverted, in float64. */
export interface OpenBetween {
  value(from: Values): Promise<Values>
  /** The cotangent of `from` that a cotangent of `to` makes. */
  back(from: Values, cotangent: Values): Promise<Values>
  /**
   * The numbers of `from` that give `to`; NaN where no number of `to` is made of one. A value that the function never takes counts as the
   * nearest one that it does.
   *
   * @throws CUT
   */
  inverse(to: Values, pause: Pause): Promise<{ readonly from: Float64Array; readonly outside: number }>
  /** By number of `to`, whether the function rises or falls; undefined where it does both, or is level. */
  signs(canBeLevel: boolean): Promise<Int8Array | undefined>
  dispose(): void
}

/** How far the inverse is looked for. */
const [FIRST, FARTHEST] = [1, 2 ** 20]

/** Halvings of an interval until float64 has no number between its ends, beginning at 2²⁰. */
const HALVINGS = 80

export async function openBetween({ from, to, entry, sign }: Between, bound: Bound): Promise<OpenBetween> {
  const { graph } = from
  const read = g.input(graph, `read at ${from.id}`, from.shape)
  const cotangent = g.input(graph, `cotangent of ${to.id} at ${from.id}`, to.shape)
  const [value] = g.substitute([to], new Map([[from, read]]))
  const [slope] = g.grad(value, [read], cotangent)
  const opened = async (inputs: Program['inputs'], output: Node) => {
    const names = reachable([output]).flatMap((n) => (n.op === 'parameter' ? [n.attributes.name] : []))
    const own = new Map(names.map((name) => [name, bound.get(name)!] as const))
    return (await reference().compile({ inputs, outputs: [output] })).bind(own)
  }
  const forwards = await opened([read], value)
  const backwards = await opened([read, cotangent], slope)
  const size = sizeOf(from.shape)
  const at = async (values: Values): Promise<Values> => (await forwards.run([values]))[0]
  // one number of `to` for each number of `from`
  const seen = new Int32Array(size).fill(-1)
  for (let i = entry.length - 1; i >= 0; i--) if (entry[i] >= 0) seen[entry[i]] = i
  return {
    value: at,
    back: async (values, felt) => (await backwards.run([values, felt]))[0],
    async inverse(wanted, pause) {
      const low = new Float64Array(size).fill(-FIRST)
      const high = new Float64Array(size).fill(FIRST)
      /** Whether the function at each point is below what is wanted, as if it rose. */
      const below = async (points: Float64Array) => {
        if (await pause()) throw CUT
        const reached = await at(points)
        return (j: number) => sign[seen[j]] * (reached[seen[j]] - wanted[seen[j]]) < 0
      }
      for (let reach = FIRST; reach <= FARTHEST; reach *= 4) {
        const [tooLow, tooHigh] = [await below(high), await below(low)]
        let wider = false
        for (let j = 0; j < size; j++) {
          if (seen[j] < 0) continue
          if (tooLow(j)) high[j] = 4 * reach
          else if (!tooHigh(j)) low[j] = -4 * reach
          else continue
          wider = true
        }
        if (!wider) break
      }
      const [tooLow, tooHigh] = [await below(high), await below(low)]
      const missed = seen.map((i, j) => (i >= 0 && (tooLow(j) || !tooHigh(j)) ? 1 : 0))
      for (let k = 0; k < HALVINGS; k++) {
        const middle = low.map((v, j) => (v + high[j]) / 2)
        const under = await below(middle)
        for (let j = 0; j < size; j++) {
          if (seen[j] < 0) continue
          if (under(j)) low[j] = middle[j]
          else high[j] = middle[j]
        }
      }
      return {
        from: low.map((v, j) => (seen[j] < 0 ? Number.NaN : (v + high[j]) / 2)),
        outside: missed.reduce((sum, v) => sum + v, 0),
      }
    },
    async signs(canBeLevel) {
      const found = new Int8Array(entry.length)
      let before: Values | undefined
      for (const t of TRIED) {
        const reached = await at(new Float64Array(size).fill(t))
        if (before)
          for (let i = 0; i < found.length; i++) {
            if (entry[i] < 0) continue
            const step = Math.sign(reached[i] - before[i])
            if (Number.isNaN(step) || (step === 0 && canBeLevel) || step * found[i] < 0) return undefined
            if (step !== 0) found[i] = step
          }
        before = reached
      }
      return found.every((v, i) => v !== 0 || entry[i] < 0) ? found : undefined
    },
    dispose() {
      forwards.dispose()
      backwards.dispose()
    },
  }
}
