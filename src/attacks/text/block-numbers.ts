import type { NamedGradients } from '../../client/shared/read-gradients'
import { unary } from '../../graph/scalar'
import type { BertConfig } from '../../models/bert-config'
import type { TextModel } from '../../models/text-model'
import type { Values } from '../../runtime/runtime'
import type { BlockNumbers, DenseNumbers } from '../dager/transformer'
import { gradientOf } from './shared-text'

const AT = 'encoder.layer.0'

/** √(2/π) (x + 0.044715 x³) */
const inner = (x: number): number => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)

const ACTIVATIONS: Record<BertConfig['activation'], BlockNumbers['activation']> = {
  gelu: { value: unary.gelu, derivative: unary.geluDerivative },
  gelu_new: {
    value: (x) => 0.5 * x * (1 + Math.tanh(inner(x))),
    derivative(x) {
      const t = Math.tanh(inner(x))
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x)
    },
  },
  relu: { value: unary.relu, derivative: (x) => (x > 0 ? 1 : 0) },
}

/** The first block of an encoder in numbers, with the gradients of its matrices; undefined where one of them was not shared. */
export async function blockNumbers(
  { weights, config: { heads, epsilon, activation } }: TextModel,
  shared: NamedGradients,
): Promise<BlockNumbers | undefined> {
  const matrices = ['attention.output.dense', 'intermediate.dense', 'output.dense'].map(
    (part) => `${AT}.${part}.weight`,
  )
  if (!matrices.every((name) => Object.hasOwn(shared, name))) return undefined
  const read = async (name: string): Promise<Values> => (await weights[`${AT}.${name}`].data()) as Float32Array
  const dense = async (name: string): Promise<DenseNumbers> => ({
    weight: await read(`${name}.weight`),
    bias: await read(`${name}.bias`),
  })
  const [output, wide, narrow] = await Promise.all(matrices.map((name) => gradientOf(shared, name, weights[name].size)))
  const norm = 'attention.output.LayerNorm'
  return {
    heads,
    query: await dense('attention.self.query'),
    key: await dense('attention.self.key'),
    value: await dense('attention.self.value'),
    output: await dense('attention.output.dense'),
    norm: { gamma: await read(`${norm}.weight`), beta: await read(`${norm}.bias`), epsilon },
    wide: await dense('intermediate.dense'),
    activation: ACTIVATIONS[activation],
    gradients: { output, wide, narrow },
  }
}
