import { lookForDense } from '../attacks/dense/first-dense'
import { type TracedGradient, traceGradient } from '../client/model/gradient'
import { kinksOf } from '../client/model/kinks'
import type { Model } from '../client/model/model'
import type { TracedExample } from '../client/trace-example'
import { DlgError } from '../errors/dlg-error'
import * as g from '../graph'
import { conventionDifferences } from '../io/layouts/conventions'
import type { Finding } from './report'

/** Which attacks the shape of the model invites, beside a search. */
export const checkStructure = (model: Model, example: TracedExample): Finding[] => [
  ...closedForm(example),
  ...tokenSets(example.traced),
  smoothness(example.traced),
  ...conventions(model),
]

/** For clients that train in PyTorch. */
function conventions(model: Model): Finding[] {
  const all = conventionDifferences(model)
  if (all.length === 0) return []
  // several layers with one difference share a sentence
  const messages = new Map<string, string[]>()
  for (const { layer, message } of all) messages.set(message, [...(messages.get(message) ?? []), `'${layer}'`])
  const said = [...messages].map(([message, names]) => `${names.join(', ')} ${message}`).join('. ')
  return [{ level: 'note', code: 'conventions', message: `if the client trains in PyTorch: ${said}` }]
}

/** The layer is recognised on one sample: there its input is a row. */
function closedForm({ opened, settings, batchSize }: TracedExample): Finding[] {
  if (opened.inputs.length !== 1) return []
  const single = traceSingle(opened, settings)
  const layer = single && lookForDense(single)
  if (!layer) return []
  if (typeof layer === 'string')
    return [{ level: 'note', code: 'closed-form', message: `no closed form gives the data: ${layer}` }]
  const name = single.trained[layer.weight].name
  const message =
    batchSize === 1
      ? `the first layer '${name}' is dense with a bias: the data stand in its gradient, and no search is needed`
      : `the first layer '${name}' is dense with a bias: samples that alone reach one of its units stand in its gradient`
  return [
    { level: 'note', code: 'closed-form', message, attack: batchSize === 1 ? 'dense-inversion' : 'isolated-inputs' },
  ]
}

function traceSingle(opened: TracedExample['opened'], settings: TracedExample['settings']): TracedGradient | undefined {
  try {
    return traceGradient(opened, { ...settings, batchSize: 1 }, (output) =>
      g.input(output.graph, 'target', output.shape),
    )
  } catch (error) {
    // a function of a fixed batch size
    if (error instanceof DlgError) return undefined
    throw error
  }
}

/** Rows of a trained table that the data choose. */
function tokenSets(traced: TracedGradient): Finding[] {
  const nodes: readonly g.Node[] = traced.trainedNodes
  const tables = g
    .reachable([traced.loss])
    .filter((n) => n.op === 'gather' && n.inputs[1].varying && nodes.includes(n.inputs[0]))
    .map((n) => traced.trained[nodes.indexOf(n.inputs[0])].name)
  return [...new Set(tables)].map((name) => ({
    ...{ level: 'note', code: 'token-set', attack: 'token-set' },
    message: `'${name}' is a trained embedding: only the rows of tokens that occur have a gradient, so it names them`,
  }))
}

/** A search by second derivatives needs activations that have them. */
function smoothness(traced: TracedGradient): Finding {
  const { kinks, from } = kinksOf(traced)
  if (kinks.length === 0)
    return {
      ...{ level: 'ok', code: 'smooth', attack: 'gradient-matching' },
      message: `everything is smooth between ${from} and output: a search by L-BFGS applies to ${from}`,
    }
  return {
    ...{ level: 'warning', code: 'smooth' },
    message: `there are kinks between ${from} and output (${kinks.join('; ')}): expect L-BFGS to fail; on images preset: 'auto' follows a homotopy, on other data try optimizer: 'adam' with distance: 'cosine'; that it fails is no assurance`,
  }
}
