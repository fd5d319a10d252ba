import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import type { Call, Operators } from '../call'

/** Most steps: each is built into the graph. */
const LONGEST = 1024

/** The weights of one direction, each without the axis of directions. */
interface Direction {
  /** x_t Wᵀ + b of every step, [T, N, gates · H], those of the input and the recurrence kept apart. */
  readonly input: g.Node
  readonly recurrence: g.Node
  readonly recurrenceBias: g.Node | undefined
  readonly hidden: number
}

type Cell = (call: Call, direction: Direction, step: g.Node, state: readonly g.Node[]) => readonly g.Node[]

const sigmoid = (x: g.Node): g.Node => g.unary('sigmoid', x)
const tanh = (x: g.Node): g.Node => g.unary('tanh', x)
const gates = (x: g.Node, hidden: number): g.Node[] =>
  g.range(x.shape[1] / hidden).map((k) => g.sliceAxis(x, 1, k * hidden, hidden))

const recurrent = ({ recurrence, recurrenceBias }: Direction, h: g.Node): g.Node => {
  const product = g.matMul(h, g.swapLast(recurrence))
  return recurrenceBias ? g.add(product, recurrenceBias) : product
}

/** Hochreiter and Schmidhuber 1997, gates in ONNX's order i, o, f, c. */
const lstm: Cell = (_call, direction, step, [h, c]) => {
  const [i, o, f, candidate] = gates(g.add(step, recurrent(direction, h)), direction.hidden)
  const next = g.add(g.mul(sigmoid(f), c), g.mul(sigmoid(i), tanh(candidate)))
  return [g.mul(sigmoid(o), tanh(next)), next]
}

/** Cho et al. 2014, gates in ONNX's order z, r, h; PyTorch and Keras apply the reset after the product (`linear_before_reset`). */
const gru: Cell = (call, direction, step, [h]) => {
  const { hidden, recurrence, recurrenceBias } = direction
  const [zx, rx, hx] = gates(step, hidden)
  if (call.integer('linear_before_reset', 0)) {
    const [zh, rh, hh] = gates(recurrent(direction, h), hidden)
    const [z, r] = [sigmoid(g.add(zx, zh)), sigmoid(g.add(rx, rh))]
    return [mixed(z, tanh(g.add(hx, g.mul(r, hh))), h)]
  }
  const bias = recurrenceBias && g.range(3).map((k) => g.sliceAxis(recurrenceBias, 0, k * hidden, hidden))
  const part = (of: g.Node, k: number) => {
    const product = g.matMul(of, g.swapLast(g.sliceAxis(recurrence, 0, k * hidden, hidden)))
    return bias ? g.add(product, bias[k]) : product
  }
  const [z, r] = [sigmoid(g.add(zx, part(h, 0))), sigmoid(g.add(rx, part(h, 1)))]
  return [mixed(z, tanh(g.add(hx, part(g.mul(r, h), 2))), h)]
}

/** (1 − z) candidate + z h */
const mixed = (z: g.Node, candidate: g.Node, h: g.Node): g.Node => g.add(candidate, g.mul(z, g.sub(h, candidate)))

/** Elman 1990, with tanh, or with ReLU where the file says so. */
const simple: Cell = (call, direction, step, [h]) => {
  const sum = g.add(step, recurrent(direction, h))
  return [activationsOf(call)?.[0] === 'Relu' ? g.relu(sum) : tanh(sum)]
}

/** The activations in the file, for one direction after the other. */
const activationsOf = (call: Call): readonly string[] | undefined =>
  call.attribute('activations')?.strings.map((s) => new TextDecoder().decode(s.subarray(0, 32)))

const CELLS: Readonly<Record<string, { cell: Cell; gates: number; states: number; activations: readonly string[] }>> = {
  LSTM: { cell: lstm, gates: 4, states: 2, activations: ['Sigmoid', 'Tanh', 'Tanh'] },
  GRU: { cell: gru, gates: 3, states: 1, activations: ['Sigmoid', 'Tanh'] },
  RNN: { cell: simple, gates: 1, states: 1, activations: ['Tanh'] },
}

/** Y [T, directions, N, H], then the last state of each kind, [directions, N, H]. */
function layer(call: Call): g.Node[] {
  const { cell, gates: count, states, activations } = CELLS[call.operator]
  const x = call.integer('layout', 0) ? g.transpose(call.x(0), [1, 0, 2]) : call.x(0)
  const [w, r, b] = [call.x(1), call.x(2), call.optional(3)]
  if (x.shape.length !== 3 || w.shape.length !== 3 || r.shape.length !== 3)
    throw call.wrong('must have a sequence [steps, batch, features] and weights [directions, gates, features]')
  const [steps, batch] = x.shape
  const [directions, , hidden] = r.shape
  requireSupported(call, activations, directions, steps, batch)
  if (w.shape[1] !== count * hidden || r.shape[1] !== count * hidden || w.shape[0] !== directions)
    throw call.wrong(`weights [${w.shape}] and [${r.shape}] do not fit each other`)
  const backwards = call.text('direction', 'forward') === 'reverse'
  const ends = g.range(directions).map((k) => {
    const of = (v: g.Node) => g.reshape(g.sliceAxis(v, 0, k, 1), v.shape.slice(1))
    const start = (i: number) => {
      const given = call.optional(i)
      if (!given) return g.fill(x.graph, 0, [batch, hidden])
      const first = call.integer('layout', 0) ? g.transpose(given, [1, 0, 2]) : given
      return of(first)
    }
    const bias = b && of(b)
    const product = g.matMul(g.reshape(x, [steps * batch, x.shape[2]]), g.swapLast(of(w)))
    const input = bias ? g.add(product, g.sliceAxis(bias, 0, 0, count * hidden)) : product
    const recurrenceBias = bias && g.sliceAxis(bias, 0, count * hidden, count * hidden)
    const direction = { input, recurrence: of(r), recurrenceBias, hidden }
    return run(
      call,
      cell,
      direction,
      steps,
      batch,
      g.range(states).map((i) => start(5 + i)),
      backwards || k === 1,
    )
  })
  const stack = (nodes: g.Node[], axis: number) =>
    g.concat(
      nodes.map((n) => g.reshape(n, n.shape.toSpliced(axis, 0, 1))),
      axis,
    )
  const all = stack(
    ends.map(({ outputs }) => outputs),
    1,
  )
  const last = g.range(states).map((i) =>
    stack(
      ends.map(({ state }) => state[i]),
      0,
    ),
  )
  if (!call.integer('layout', 0)) return [all, ...last]
  return [g.transpose(all, [2, 0, 1, 3]), ...last.map((n) => g.transpose(n, [1, 0, 2]))]
}

function run(
  call: Call,
  cell: Cell,
  direction: Direction,
  steps: number,
  batch: number,
  start: readonly g.Node[],
  backwards: boolean,
) {
  const order = backwards ? g.range(steps).reverse() : g.range(steps)
  const outputs = new Array<g.Node>(steps)
  let state = start
  for (const t of order) {
    state = cell(call, direction, g.sliceAxis(direction.input, 0, t * batch, batch), state)
    outputs[t] = g.reshape(state[0], [1, batch, direction.hidden])
  }
  return { outputs: g.concat(outputs, 0), state }
}

function requireSupported(
  call: Call,
  wanted: readonly string[],
  directions: number,
  steps: number,
  batch: number,
): void {
  const given = activationsOf(call) ?? []
  const isOf = (names: readonly string[]) =>
    given.join() ===
    g
      .range(directions)
      .flatMap(() => names)
      .join()
  if (given.length > 0 && !isOf(wanted) && !(call.operator === 'RNN' && isOf(['Relu'])))
    throw call.refuse(
      `has activations ${given.slice(0, 8)}; only ${wanted}${call.operator === 'RNN' ? ' or Relu' : ''} are supported`,
    )
  if (call.attribute('clip') || call.integer('input_forget', 0) || call.optional(7))
    throw call.refuse('has clip, input_forget or peepholes')
  if (directions > 2 || steps > LONGEST)
    throw call.refuse(
      `has ${countOf(steps, 'step')} in ${countOf(directions, 'direction')}; at most ${LONGEST} steps in 2 can be`,
    )
  const lengths = call.optional(4) && call.building.valuesOf(call.x(4))
  if (call.optional(4) && !(lengths?.length === batch && lengths.every((n) => n === steps)))
    throw call.refuse('has sequences of different lengths (sequence_lens); all of a batch must be as long')
}

export const recurrentOperators: Operators = { LSTM: layer, GRU: layer, RNN: layer }
