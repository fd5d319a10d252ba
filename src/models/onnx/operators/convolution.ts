import * as g from '../../../graph'
import { averagePool, geometryOf, maxPool } from '../../../trace'
import type { Call, Operators } from '../call'

/** How a window slides, one entry for each spatial axis. */
interface Window {
  readonly size: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly low: readonly number[]
  readonly high: readonly number[]
}

/** Attributes of a window over `space`; `auto_pad` SAME gives as many outputs as strides fit, the odd zero after or before. */
function windowOf(call: Call, space: readonly number[], size: readonly number[]): Window {
  const rank = space.length
  const each = (name: string, otherwise: number, least: number): readonly number[] => {
    const found = call.integers(name)
    const values = found && found.length > 0 ? found : new Array<number>(rank).fill(otherwise)
    if (values.length === rank && values.every((n) => Number.isInteger(n) && n >= least && n < 2 ** 20)) return values
    throw call.wrong(`${name} is [${values}]; it must be ${rank} whole numbers of at least ${least}`)
  }
  const strides = each('strides', 1, 1)
  const dilations = each('dilations', 1, 1)
  if (size.length !== rank || rank === 0 || !size.every((n) => Number.isInteger(n) && n >= 1 && n < 2 ** 20))
    throw call.wrong(`a window of [${size}] over [${space}]; both must have as many axes`)
  const automatic = call.text('auto_pad', 'NOTSET')
  if (automatic === 'SAME_UPPER' || automatic === 'SAME_LOWER') {
    const total = space.map((n, i) => {
      const read = (Math.ceil(n / strides[i]) - 1) * strides[i] + (size[i] - 1) * dilations[i] + 1
      return Math.max(read - n, 0)
    })
    const less = total.map((n) => Math.floor(n / 2))
    const more = total.map((n) => Math.ceil(n / 2))
    const [low, high] = automatic === 'SAME_UPPER' ? [less, more] : [more, less]
    return { size, strides, dilations, low, high }
  }
  const given = call.integers('pads')
  const pads = automatic === 'VALID' || !given?.length ? new Array<number>(2 * rank).fill(0) : given
  if (pads.length !== 2 * rank || !pads.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 20))
    throw call.wrong(`pads is [${pads}]; it must be ${2 * rank} whole numbers of at least 0`)
  return { size, strides, dilations, low: pads.slice(0, rank), high: pads.slice(rank) }
}

const withBias = (call: Call, y: g.Node): g.Node => {
  const bias = call.optional(2)
  if (!bias) return y
  return g.add(y, g.reshape(bias, [g.sizeOf(bias.shape), ...y.shape.slice(2).map(() => 1)]))
}

function convolution(call: Call): g.Node {
  const [x, w] = [call.x(0), call.x(1)]
  const { strides, dilations, low, high } = windowOf(call, x.shape.slice(2), w.shape.slice(2))
  const geometry = { strides, dilations, padLow: low, padHigh: high, groups: call.integer('group', 1) }
  return withBias(call, g.conv(x, w, geometry))
}

/** The gradient of a convolution with respect to its input: its filter is [C, O / groups, …]. */
function transposedConvolution(call: Call): g.Node {
  const [x, w] = [call.x(0), call.x(1)]
  const [batch, , ...space] = x.shape
  const groups = call.integer('group', 1)
  // what auto_pad SAME means here is the size of the output
  const { size, strides, dilations, low, high } = windowOf(call, space, w.shape.slice(2))
  const extra = call.integers('output_padding') ?? space.map(() => 0)
  const asked = call.integers('output_shape')
  const automatic = call.text('auto_pad', 'NOTSET').startsWith('SAME')
  const full = space.map((n, i) => strides[i] * (n - 1) + (extra[i] ?? 0) + (size[i] - 1) * dilations[i] + 1)
  const wanted = asked?.length
    ? asked.slice(-space.length)
    : automatic
      ? space.map((n, i) => n * strides[i])
      : undefined
  const out = wanted ?? full.map((n, i) => n - low[i] - high[i])
  const total = full.map((n, i) => Math.max(n - out[i], 0))
  const upper = call.text('auto_pad', 'NOTSET') === 'SAME_UPPER'
  const padLow = wanted ? total.map((n) => (upper ? Math.floor(n / 2) : Math.ceil(n / 2))) : [...low]
  // zeros beyond the last output of a stride are none of the input's
  const padHigh = out.map((n, i) =>
    Math.max(strides[i] * (space[i] - 1) + (size[i] - 1) * dilations[i] + 1 - n - padLow[i], 0),
  )
  const geometry = { strides, dilations, padLow, padHigh, groups }
  const y = g.convInputGrad(x, w, geometry, [batch, w.shape[1] * groups, ...out])
  return withBias(call, y)
}

/** Number of outputs along each axis; in ceil mode the last window may reach over the end, and must begin before it. */
function outputSize(call: Call, space: readonly number[], { size, strides, dilations, low, high }: Window): number[] {
  const up = call.integer('ceil_mode', 0) === 1
  const counts = space.map((n, i) => {
    const steps = (n + low[i] + high[i] - (size[i] - 1) * dilations[i] - 1) / strides[i]
    const count = (up ? Math.ceil(steps) : Math.floor(steps)) + 1
    return up && (count - 1) * strides[i] >= n + low[i] ? count - 1 : count
  })
  if (counts.some((n) => n < 1)) throw call.wrong(`a window of [${size}] does not fit [${space}]`)
  // one number is kept for each place of a window
  if (counts.reduce((a, b) => a * b, 1) > 2 ** 22) throw call.refuse(`pools to [${counts}]; that is too large`)
  return counts
}

function pool(call: Call) {
  const x = call.x()
  const space = x.shape.slice(2)
  const window = windowOf(call, space, call.integers('kernel_shape') ?? [])
  const { size, strides, dilations, low, high } = window
  if (size.some((n) => n > 1024)) throw call.refuse(`has a window of [${size}]; at most 1024 on an axis`)
  const geometry = geometryOf(space, size, outputSize(call, space, window), strides, dilations, low)
  return { x, pool: { window: size, geometry }, border: low.map((n, i) => [n, high[i]] as const), dilations }
}

function maximumPool(call: Call): g.Node {
  const { x, pool: window } = pool(call)
  if (call.outputs > 1) throw call.refuse('gives the positions of its maxima, which is not supported')
  return maxPool(x, window)
}

function meanPool(call: Call): g.Node {
  const { x, pool: window, border, dilations } = pool(call)
  if (dilations.some((d) => d !== 1)) throw call.refuse('has dilations')
  return averagePool(x, window, call.integer('count_include_pad', 0) ? border : undefined)
}

const spatial = (x: g.Node): number[] => g.range(x.shape.length).slice(2)

export const convolutionOperators: Operators = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: maximumPool,
  AveragePool: meanPool,
  GlobalAveragePool: (call) => g.mean(call.x(), spatial(call.x())),
  GlobalMaxPool: (call) => g.max(call.x(), spatial(call.x())),
}
