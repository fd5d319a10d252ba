import { type Pause, paced } from '../attacks/contract/pause'
import { traceOfOne } from '../attacks/dense/first-dense'
import { chainOf } from '../attacks/r-gap/chain'
import { type LayerRank, openWords, rankOf } from '../attacks/r-gap/ranks'
import { type TracedGradient, weightParameter } from '../client/model/gradient'
import type { TracedExample } from '../client/trace-example'
import { DlgError } from '../errors/dlg-error'
import * as g from '../graph'
import { evaluate } from '../runtime/runtime'
import type { Finding } from './report'

/** Numbers of an image up to which ranks are computed; each takes a second at most. */
const MOST_NUMBERS = 4096

/**
 * R-GAP's rank analysis (Zhu, Blaschko 2021), of the first sample of the example. Nothing is said of models that are no chain of layers with
 * strictly monotone activations, and where all layers are dense: there the data stand in the gradient of the first one with a bias.
 */
export async function checkLayerRanks(example: TracedExample, pause: Pause): Promise<Finding[]> {
  const ranks = await ranksIn(example, pause)
  if (ranks.length === 0) return []
  const open = ranks.filter((layer) => layer.open !== 0)
  const known = open.flatMap((layer) => openWords(layer) ?? [])
  // the attack itself takes one sample
  const acts = example.batchSize === 1 ? ({ attack: 'r-gap' } as const) : {}
  const note = { level: 'note', code: 'layer-ranks', ...acts } as const
  const alone = example.batchSize === 1 ? '' : ', were it alone in its batch'
  if (open.length === 0)
    return [
      {
        ...note,
        message: `R-GAP's rank analysis leaves nothing open: the equations of ${ranks.length === 1 ? 'the one layer' : `each of the ${ranks.length} layers`} have full rank, so that one image${alone} comes back layer by layer without a search`,
      },
    ]
  if (known.length > 0)
    return [
      {
        ...note,
        message: `R-GAP's rank analysis: ${known.join('; ')}. Layer by layer one image${alone} comes back in part`,
      },
    ]
  const names = open.map(({ name }) => `'${name}'`).join(', ')
  return [
    {
      ...note,
      message: `R-GAP's rank analysis: there are as many equations as unknowns, or more; the ranks of ${names} are too large to compute`,
    },
  ]
}

/** The rank of every layer; empty where the analysis does not apply. */
async function ranksIn(
  { opened, settings, data, values, parameters, traced: { outputs } }: TracedExample,
  pause: Pause,
) {
  const [only] = data
  if (data.length !== 1 || only.dtype !== 'float32' || g.sizeOf(only.shape) > MOST_NUMBERS || outputs.length !== 1)
    return []
  let traced: TracedGradient
  try {
    traced = traceOfOne(opened, settings)
  } catch (error) {
    // a function of a fixed batch size
    if (error instanceof DlgError) return []
    throw error
  }
  const bound = new Map([...parameters, ...traced.captured])
  const chain = await chainOf(traced, bound, pause)
  if (typeof chain === 'string' || chain.links.every(({ patches }) => patches === 1)) return []
  const inputs = [traced.data, ...(traced.targets as g.Node<'input'>[])]
  const felt = await evaluate(
    settings.runtime,
    {
      inputs,
      outputs: g.grad(
        traced.dataLoss,
        chain.links.map(({ product }) => product),
      ),
    },
    bound,
    inputs.map((node, i) => values[i].subarray(0, g.sizeOf(node.shape))),
  )
  const ranks: LayerRank[] = []
  for (const [i, link] of chain.links.entries()) {
    const { name } = traced.trained[link.weight]
    const weight = bound.get(weightParameter(traced.trained[link.weight]))!
    const weights = Float64Array.from(link.kernel, (at) => weight[at])
    const steps = rankOf(name, { link, weights, felt: Float64Array.from(link.output, (at) => felt[i][at]) })
    ranks.push(await paced(steps, pause))
  }
  return ranks
}
