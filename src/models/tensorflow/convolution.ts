import * as g from '../../graph'
import { kernels } from '../../trace'
import type { Call, Operator, Operators } from '../onnx/call'

const isFirst = (call: Call): boolean => call.text('data_format', 'NHWC').startsWith('NC')

/** The entries of the spatial axes, out of one for each axis of the data. */
function spatial(call: Call, name: string): number[] {
  const values = call.integers(name) ?? [1, 1, 1, 1]
  if (values.length < 4 || values.length > 5 || !values.every((n) => Number.isInteger(n) && n >= 1 && n < 2 ** 20))
    throw call.wrong(`${name} is [${values}]; it must be 4 or 5 whole numbers above 0`)
  return isFirst(call) ? values.slice(2) : values.slice(1, -1)
}

/** tfjs's word for the padding: the places outside the image on both sides of each axis. */
function padding(call: Call): string | number[][] {
  const how = call.text('padding', 'VALID')
  if (how === 'SAME' || how === 'VALID') return how.toLowerCase()
  const given = call.integers('explicit_paddings') ?? []
  if (how !== 'EXPLICIT' || given.length !== 8) throw call.wrong(`padding is '${how}', with [${given}]`)
  return [0, 1, 2, 3].map((i) => [given[2 * i], given[2 * i + 1]])
}

const window = (call: Call) => ({
  strides: spatial(call, 'strides'),
  dilations: spatial(call, 'dilations'),
  pad: padding(call),
  dataFormat: call.text('data_format', 'NHWC'),
})

const convolution =
  (kernel: string): Operator =>
  (call) =>
    kernels[kernel]({ x: call.x(0), filter: call.x(1) }, window(call), call.graph)

/** tfjs's names of activations, by those of TensorFlow. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  Elu: 'elu',
  Sigmoid: 'sigmoid',
  LeakyRelu: 'leakyrelu',
  Prelu: 'prelu',
}

/** What a converter put behind a product: a bias first, and an activation. */
function fused(call: Call): {
  readonly inputs: Record<string, g.Node>
  readonly attributes: object
  last(y: g.Node): g.Node
} {
  const steps = (call.attribute('fused_ops')?.strings ?? []).map((bytes) =>
    new TextDecoder().decode(bytes.subarray(0, 64)),
  )
  const biased = steps[0] === 'BiasAdd'
  const [after, ...more] = biased ? steps.slice(1) : steps
  const isTanh = after === 'Tanh'
  if (more.length > 0 || (!isTanh && after !== undefined && !Object.hasOwn(ACTIVATIONS, after)))
    throw call.refuse(`is fused with ${steps.join(' and ')}, which is not supported`)
  const bias = biased ? { bias: call.x(2) } : {}
  const slope = after === 'Prelu' ? { preluActivationWeights: call.x(biased ? 3 : 2) } : {}
  return {
    inputs: { ...bias, ...slope } as Record<string, g.Node>,
    attributes: {
      activation: after && !isTanh ? ACTIVATIONS[after] : undefined,
      leakyreluAlpha: call.number('leakyrelu_alpha', 0.2),
    },
    // no kernel of tfjs has it, so its own executor fails there
    last: (y) => (isTanh ? g.unary('tanh', y) : y),
  }
}

const fusedConvolution =
  (kernel: string): Operator =>
  (call) => {
    const { inputs, attributes, last } = fused(call)
    const y = kernels[kernel](
      { x: call.x(0), filter: call.x(1), ...inputs },
      { ...window(call), ...attributes },
      call.graph,
    )
    return last(y as g.Node)
  }

const fusedProduct: Operator = (call) => {
  const { inputs, attributes, last } = fused(call)
  const turned = { transposeA: call.integer('transpose_a', 0) === 1, transposeB: call.integer('transpose_b', 0) === 1 }
  const y = kernels._FusedMatMul({ a: call.x(0), b: call.x(1), ...inputs }, { ...turned, ...attributes }, call.graph)
  return last(y as g.Node)
}

/** The gradient of a convolution with respect to its input, as a layer that grows an image. */
const transposed =
  (kernel: string): Operator =>
  (call) =>
    kernels[kernel](
      { dy: call.x(2), filter: call.x(1) },
      { ...window(call), inputShape: [...(call.known(0) ?? [])] },
      call.graph,
    )

const pool =
  (kernel: string): Operator =>
  (call) => {
    if (isFirst(call)) throw call.refuse('has its channels first, which is not supported')
    // one number is kept for each place of a window
    if (g.sizeOf(call.x().shape.slice(1, -1)) > 2 ** 22) throw call.refuse('pools pictures of more than 2²² places')
    const attributes = { filterSize: spatial(call, 'ksize'), strides: spatial(call, 'strides'), pad: padding(call) }
    if (attributes.filterSize.some((n) => n > 1024)) throw call.refuse('has a window of more than 1024 on an axis')
    return kernels[kernel]({ x: call.x() }, attributes, call.graph)
  }

export const convolutionOperators: Operators = {
  Conv2D: convolution('Conv2D'),
  Conv3D: convolution('Conv3D'),
  _FusedConv2D: fusedConvolution('FusedConv2D'),
  DepthwiseConv2d: convolution('DepthwiseConv2dNative'),
  DepthwiseConv2dNative: convolution('DepthwiseConv2dNative'),
  FusedDepthwiseConv2dNative: fusedConvolution('FusedDepthwiseConv2D'),
  _FusedMatMul: fusedProduct,
  Conv2DBackpropInput: transposed('Conv2DBackpropInput'),
  Conv3DBackpropInputV2: transposed('Conv3DBackpropInputV2'),
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AvgPool'),
  MaxPool3D: pool('MaxPool3D'),
  AvgPool3D: pool('AvgPool3D'),
}
