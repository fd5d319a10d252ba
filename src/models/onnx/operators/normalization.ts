import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import { kernels } from '../../../trace'
import { axisOf, type Call, type Operators } from '../call'

/** [C] as [1, C, 1, …], to go with [N, C, …]. */
const perChannel = (v: g.Node, rank: number): g.Node =>
  g.reshape(v, [1, g.sizeOf(v.shape), ...new Array<number>(Math.max(rank - 2, 0)).fill(1)])

const normalized = (x: g.Node, mean: g.Node, variance: g.Node, epsilon: number): g.Node =>
  g.div(g.sub(x, mean), g.sqrt(g.offset(variance, epsilon)))

/**
 * With the statistics of the file, or with those of the batch in training mode; these are not moved. Before version 14 of the operators a node
 * in training mode is one that gives statistics too.
 */
function batchNormalization(call: Call): g.Node {
  const x = call.x()
  const rank = x.shape.length
  const [scale, bias, mean, variance] = g.range(4).map((i) => perChannel(call.x(i + 1), rank))
  const trains = call.opset < 14 ? call.namedOutputs > 1 : call.integer('training_mode', 0) === 1
  const ofBatch = call.training || trains
  const axes = g.range(rank).filter((axis) => axis !== 1)
  const own = ofBatch ? g.moments(x, axes) : { mean, variance }
  if (!ofBatch) call.building.normalizes({ input: g.transpose(x, [...axes, 1]), mean: call.x(3), variance: call.x(4) })
  return g.add(g.mul(normalized(x, own.mean, own.variance, call.number('epsilon', 1e-5)), scale), bias)
}

function instanceNormalization(call: Call): g.Node {
  const x = call.x()
  const rank = x.shape.length
  const { mean, variance } = g.moments(x, g.range(rank).slice(2))
  const y = normalized(x, mean, variance, call.number('epsilon', 1e-5))
  return g.add(g.mul(y, perChannel(call.x(1), rank)), perChannel(call.x(2), rank))
}

/** Scale and bias have an entry for each channel, or, in version 18 of the operators, for each group. */
function groupNormalization(call: Call): g.Node {
  const x = call.x()
  const [batch, channels] = x.shape
  const groups = call.integer('num_groups', 1)
  if (!(groups >= 1 && channels % groups === 0))
    throw call.wrong(`${countOf(channels, 'channel is', 'channels are')} no ${countOf(groups, 'group')}`)
  const grouped = g.reshape(x, [batch, groups, g.sizeOf(x.shape) / (batch * groups)])
  const { mean, variance } = g.moments(grouped, [2])
  const y = g.reshape(normalized(grouped, mean, variance, call.number('epsilon', 1e-5)), x.shape)
  const each = (v: g.Node): g.Node => {
    if (g.sizeOf(v.shape) === channels) return perChannel(v, x.shape.length)
    const repeated = g.broadcast(g.reshape(v, [groups, 1]), [groups, channels / groups])
    return perChannel(g.reshape(repeated, [channels]), x.shape.length)
  }
  return g.add(g.mul(y, each(call.x(1))), each(call.x(2)))
}

/** Over all axes from `axis` on. */
function layerNormalization(call: Call): g.Node[] {
  const x = call.x()
  const axis = axisOf(call, call.integer('axis', -1), x.shape.length)
  const { mean, variance } = g.moments(x, g.range(x.shape.length).slice(axis))
  const epsilon = call.number('epsilon', 1e-5)
  const scaled = g.mul(normalized(x, mean, variance, epsilon), call.x(1))
  const bias = call.optional(2)
  const inverse = g.div(g.scalar(x.graph, 1), g.sqrt(g.offset(variance, epsilon)))
  return [bias ? g.add(scaled, bias) : scaled, mean, inverse]
}

/** x / √(mean x² + ε) · scale, over all axes from `axis` on. */
function rmsNormalization(call: Call): g.Node {
  const x = call.x()
  const axis = axisOf(call, call.integer('axis', -1), x.shape.length)
  const power = g.mean(g.square(x), g.range(x.shape.length).slice(axis))
  return g.mul(g.div(x, g.sqrt(g.offset(power, call.number('epsilon', 1e-5)))), call.x(1))
}

function lpNormalization(call: Call): g.Node {
  const x = call.x()
  const axes = [axisOf(call, call.integer('axis', -1), x.shape.length)]
  const one = call.integer('p', 2) === 1
  const sum = g.sum(one ? g.abs(x) : g.square(x), axes)
  // a row of zeros stays one, as in onnxruntime
  const whole = g.add(sum, g.equal(sum, g.scalar(sum.graph, 0)))
  return g.div(x, one ? whole : g.sqrt(whole))
}

/** x / (bias + α / size · Σ x²)^β, the sum over `size` neighbouring channels. */
function localResponse(call: Call): g.Node {
  const x = call.x()
  const size = call.integer('size', 1)
  if (size % 2 === 0) throw call.refuse(`sums ${countOf(size, 'channel')}; the number must be odd`)
  const rank = x.shape.length
  const last = [0, ...g.range(rank).slice(2), 1]
  const attributes = {
    depthRadius: (size - 1) / 2,
    bias: call.number('bias', 1),
    alpha: call.number('alpha', 1e-4) / size,
    beta: call.number('beta', 0.75),
  }
  const y = kernels.LRN({ x: g.transpose(x, last) }, attributes, call.graph) as g.Node
  return g.transpose(y, [0, rank - 1, ...g.range(rank - 1).slice(1)])
}

/** (x − offset) · scale, each one number or one for each feature: the standardisation of scikit-learn. */
function scaler(call: Call): g.Node {
  const x = call.x()
  const row = (name: string, otherwise: number) => {
    const values = call.attribute(name)?.floats ?? []
    return values.length === 0 ? g.scalar(call.graph, otherwise) : call.constant(values, [values.length])
  }
  return g.mul(g.sub(x, row('offset', 0)), row('scale', 1))
}

/** Over the features of each sample: by the sum of absolute values, the length, or the largest number, whatever its sign (ONNX has no other). */
function normalizer(call: Call): g.Node {
  const x = call.x()
  const axis = x.shape.length - 1
  const by: Readonly<Record<string, () => g.Node>> = {
    L1: () => g.sum(g.abs(x), [axis]),
    L2: () => g.sqrt(g.sum(g.square(x), [axis])),
    MAX: () => g.max(x, [axis]),
  }
  const norm = call.text('norm', 'MAX')
  if (!Object.hasOwn(by, norm)) throw call.wrong(`norm is '${norm}'; it must be L1, L2 or MAX`)
  return g.div(x, by[norm]())
}

/** The operators that scikit-learn's converter puts around a network; a ZipMap gives each probability the name of its class. */
export const scikitOperators: Operators = {
  Scaler: scaler,
  Normalizer: normalizer,
  ZipMap: (call) => call.x(),
}

export const normalizationOperators: Operators = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponse,
}
