import type { TracedExample } from '../client/trace-example'
import { countOf } from '../errors/counted'
import { type Node, reachable, sizeOf } from '../graph'
import { evaluate, type Values } from '../runtime/runtime'
import type { Finding } from './report'

/** How close to a bound a unit counts as saturated, and from which share of its layer on that is reported. */
const NEAR = 1e-3
const MOST = 0.9

const OPERATIONS = ['sigmoid', 'tanh', 'relu'] as const
type Activation = Node<(typeof OPERATIONS)[number]>

const isActivation = (node: Node): node is Activation =>
  node.varying && OPERATIONS.some((operation) => operation === node.op)

/** How many units of one activation are saturated or dead, over all samples. */
interface Share {
  readonly code: 'saturated' | 'dead'
  units: number
  affected: number
}

/** Names layers whose units are saturated or dead on the example. A recurrent layer's steps count together. */
export async function checkActivations(example: TracedExample): Promise<Finding[]> {
  const { traced, settings, inputs, values, parameters, batchSize } = example
  const nodes = reachable([traced.loss]).filter(isActivation)
  if (nodes.length === 0) return []
  const outputs = await evaluate(settings.runtime, { inputs, outputs: nodes }, parameters, values)
  const names = new Map(traced.weightNodes.map((node, i) => [node as Node, example.opened.weights[i].name]))
  const shares = new Map<string, Share>()
  for (const [i, node] of nodes.entries()) {
    const name = `the ${node.op} after '${lastWeight(node, names) ?? 'the data'}'`
    const code = node.op === 'relu' ? 'dead' : 'saturated'
    const share = shares.get(name) ?? { code, units: 0, affected: 0 }
    // a product may have put axes of 1 before the batch
    const samples = node.shape.find((n) => n > 1) === batchSize ? batchSize : 1
    share.units += sizeOf(node.shape) / samples
    share.affected += affected(node, outputs[i], samples)
    shares.set(name, share)
  }
  return [...shares].flatMap(([name, share]) => finding(name, share))
}

/** Units at which no sample can learn: none of them is away from the bounds, or above 0. */
function affected({ op }: Activation, values: Values, samples: number): number {
  const units = values.length / samples
  const idle = (v: number): boolean =>
    op === 'relu' ? v <= 0 : op === 'tanh' ? 1 - Math.abs(v) < NEAR : Math.min(v, 1 - v) < NEAR
  let count = 0
  for (let u = 0; u < units; u++) {
    let all = true
    for (let s = 0; s < samples && all; s++) all = idle(values[s * units + u])
    if (all) count++
  }
  return count
}

function finding(name: string, { code, units, affected }: Share): Finding[] {
  const share = affected / units
  if (share <= MOST) return []
  const percent = `${Math.round(100 * share)} % of ${countOf(units, 'unit')} of ${name}`
  if (code === 'dead')
    return [{ level: 'warning', code, message: `${percent} are 0 on every sample: no gradient passes them` }]
  const message = `${percent} are within ${NEAR} of their bounds on every sample: the gradient behind them fades into rounding`
  return [{ level: 'warning', code, message }]
}

/** The weight that is nearest upstream, by the model's order where there are several: what the layer is known by. */
function lastWeight(activation: Node, names: ReadonlyMap<Node, string>): string | undefined {
  const seen = new Set<Node>()
  const found: string[] = []
  const visit = (node: Node): void => {
    if (seen.has(node)) return
    seen.add(node)
    const name = names.get(node)
    if (name !== undefined) found.push(name)
    else if (!isActivation(node)) for (const source of node.inputs) visit(source)
  }
  for (const source of activation.inputs) visit(source)
  const order = [...names.values()]
  return found.sort((a, b) => order.indexOf(a) - order.indexOf(b)).at(-1)
}
