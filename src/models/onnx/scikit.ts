import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { nodeName } from './call'
import type { AttributeMessage, GraphMessage, NodeMessage, TensorMessage } from './messages'

const FLOAT = 1

const none = { floats: [], ints: [], strings: [] }
const integer = (name: string, i: number): AttributeMessage => ({ ...none, name, i })

const isLinear = ({ domain, opType }: NodeMessage): boolean =>
  domain === 'ai.onnx.ml' && (opType === 'LinearClassifier' || opType === 'LinearRegressor')

/**
 * A graph in which the linear models of scikit-learn are products with weights: in the file these are attributes of an operator. The weights are called
 * `coef_` [classes, features] and `intercept_` [classes], as in scikit-learn, and where there are several such models with the name of the node in front.
 *
 * @throws DlgError `invalid-file` for coefficients that fit no number of classes, `untraceable` for scores that become no probabilities
 */
export function withLinearWeights(graph: GraphMessage): GraphMessage {
  const linear = graph.node.filter(isLinear)
  if (linear.length === 0) return graph
  const made: TensorMessage[] = []
  const probabilities = new Set<string>()
  const node = graph.node.flatMap((each) => {
    // what adds up to 1 is its own quotient by its sum
    if (each.opType === 'Normalizer' && probabilities.has(each.input[0]) && textOf(each, 'norm') === 'L1')
      return [{ ...each, domain: '', opType: 'Identity' }]
    if (!isLinear(each)) return [each]
    if (textOf(each, 'post_transform') === 'SOFTMAX' && each.output[1]) probabilities.add(each.output[1])
    const { nodes, weights } = product(each, linear.length === 1 ? '' : `${each.name || each.output[0]}.`)
    made.push(...weights)
    return nodes
  })
  return { ...graph, node, initializer: [...graph.initializer, ...made] }
}

const textOf = ({ attribute }: NodeMessage, name: string): string =>
  new TextDecoder().decode(attribute.find((a) => a.name === name)?.s)

function product(node: NodeMessage, prefix: string): { nodes: NodeMessage[]; weights: TensorMessage[] } {
  const attribute = (name: string) => node.attribute.find((a) => a.name === name)
  const coefficients = attribute('coefficients')?.floats ?? []
  const isClassifier = node.opType === 'LinearClassifier'
  const labels = attribute('classlabels_ints')?.ints.length || attribute('classlabels_strings')?.strings.length
  const rows = isClassifier ? (labels ?? 0) : (attribute('targets')?.i ?? 1)
  const given = attribute('intercepts')?.floats ?? []
  const features = coefficients.length / rows
  const sound = Number.isInteger(features) && features > 0 && (given.length === 0 || given.length === rows)
  if (!sound)
    throw new DlgError(
      'invalid-file',
      `${nodeName(node)} has ${coefficients.length} coefficients and ${given.length} intercepts for ${countOf(rows, 'class', 'classes')}`,
    )
  const intercepts = given.length === 0 ? new Array<number>(rows).fill(0) : given
  // of two classes scikit-learn keeps the weights of the second one; those of the first one are their negatives
  const negated = (values: readonly number[]) =>
    values.slice(0, values.length / 2).every((v, i) => v === -values[values.length / 2 + i])
  const paired = isClassifier && rows === 2 && negated(coefficients) && negated(intercepts)
  const tensor = (name: string, dims: readonly number[], values: readonly number[]): TensorMessage => ({
    ...{
      name: `${prefix}${name}`,
      dims,
      dataType: FLOAT,
      floatData: paired ? values.slice(values.length / 2) : values,
    },
    ...{ int32Data: [], int64Data: [], doubleData: [], uint64Data: [], externalData: [] },
  })
  const count = paired ? 1 : rows
  const weights = [tensor('coef_', [count, features], coefficients), tensor('intercept_', [count], intercepts)]
  const at = (step: string) => `${node.output[0]}/${step}`
  const op = (opType: string, input: readonly string[], output: string, ...attributes: AttributeMessage[]) => ({
    ...{ name: node.name || node.output[0], opType, input, output: [output], attribute: attributes, metadata: [] },
  })
  const last = isClassifier ? (node.output[1] ?? at('scores')) : node.output[0]
  const after = AFTER[textOf(node, 'post_transform') || 'NONE']
  if (!after)
    throw new DlgError('untraceable', `${nodeName(node)} turns its scores into probabilities in a way that is not read`)
  const names = weights.map(({ name = '' }) => name)
  const nodes = [
    op('Gemm', [node.input[0] ?? '', ...names], at('score'), integer('transB', 1)),
    ...(paired
      ? [
          op('Neg', [at('score')], at('negative')),
          op('Concat', [at('negative'), at('score')], at('all'), integer('axis', 1)),
        ]
      : [op('Identity', [at('score')], at('all'))]),
    op(after, [at('all')], last, ...(after === 'Softmax' ? [integer('axis', 1)] : [])),
  ]
  return { nodes, weights }
}

/** The operator that turns scores into probabilities. */
const AFTER: Readonly<Record<string, string | undefined>> = {
  NONE: 'Identity',
  SOFTMAX: 'Softmax',
  LOGISTIC: 'Sigmoid',
}

/** The outputs that a loss reads: the class that a classifier decides for is none. */
export function withoutLabel(outputs: readonly string[]): readonly string[] {
  const probabilities = outputs.filter((name) => /probabilit(y|ies)$/.test(name))
  return probabilities.length === 1 && outputs.length === 2 ? probabilities : outputs
}
