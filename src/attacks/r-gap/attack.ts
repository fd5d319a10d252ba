import { tensor } from '@tensorflow/tfjs-core'
import { type Target, traceClient } from '../../client/target'
import { targetKind, targetRows } from '../../client/target-values'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { determinedBy } from '../../measure/proof'
import { RESIDUAL, residualOf } from '../../measure/residual'
import type { Values } from '../../numbers/values'
import { type Attack, type Control, type Outcome, outcome } from '../contract/attack'
import { CUT, type Pause, paced, pauses } from '../contract/pause'
import { checkLabels } from '../dense/attacks'
import { traceOfOne } from '../dense/first-dense'
import { type Chain, chainOf } from './chain'
import { endsOf, type ReadEnd } from './ends'
import { type LayerRank, openWords, rankOf } from './ranks'
import { type Recursion, recurse } from './recursion'

/** Options of R-GAP. */
export interface RGapOptions {
  /** Class of the sample, where it is known. Default: it stands in the gradient of the last layer. */
  readonly labels?: readonly number[]
}

/** Relative error of what was shared from which nothing comes through several layers. */
const COARSE = 0.02

/** Residual below which the data are near the client's. */
const NEAR = 0.1

/** Root mean square, in widths of the data's range, from which two solutions are two. */
const APART = 0.01

/** One sample layer by layer, from the loss back to the data, by least squares. */
export const rGap: Attack<RGapOptions> = {
  name: 'r-gap',
  source: 'Zhu, Blaschko 2021, R-GAP: Recursive Gradient Attack on Privacy',
  leaks: 'data',
  needs: {
    sees: 'the gradients of all layers',
    batch: 'one sample',
    model: 'convolutions and dense layers one after the other, with strictly monotone activations',
    labels: 'none: they stand in the gradient of the last layer',
    threatModel: 'B',
  },
  check: checkLabels,
  async refuses(target) {
    const chain = await chainIn(target)
    return typeof chain === 'string' ? chain : undefined
  },
  async run(target, { labels }, control) {
    const started = performance.now()
    const end = (said: Parameters<typeof outcome>[3]) => outcome('r-gap', started, control, said)
    const { signal, budget: { milliseconds = Number.POSITIVE_INFINITY } = {} } = control
    const goesOn = () => !signal?.aborted && performance.now() - started < milliseconds
    const pause = pauses(goesOn)
    let best: Solution | undefined
    try {
      const chain = await chainIn(target, pause)
      if (typeof chain === 'string') return end({ status: 'refused', reason: chain })
      if (await pause()) throw CUT
      const ends = await endsOf(chain, target.dataGradients, labels, Math.sqrt(target.rounding))
      if (typeof ends === 'string') return end({ status: 'failed', reason: ends })
      const solutions: Solution[] = []
      for (const [i, one] of ends.entries()) {
        const found = await recurse(chain, one, target.dataGradients, pause, telling(chain, i, ends.length, control))
        if (!found) continue
        const data = withMean(found.data)
        const residual = await residualOf(target, [data], [one.targets], (work) => paced(work, pause))
        solutions.push({ end: one, found, data, residual })
        best = solutions.reduce((a, b) => (b.residual < a.residual ? b : a))
        if (await pause()) throw CUT
      }
      if (!best)
        return end({
          status: 'failed',
          reason: `the equations of a layer contradict each other${ends.length > 1 ? `, whichever of ${countOf(ends.length, 'input')} the last layer had` : ''}: too much was rounded away, or these are several samples, or the model is another`,
        })
      return end(await judged(target, chain, solutions, best, pause, goesOn))
    } catch (error) {
      if (error !== CUT) throw error
      const found = best && { data: tensorOf(target, best.data), ...(best.end.labels && { labels: best.end.labels }) }
      return end({ status: 'cut', reason: 'the recursion was ended before a proof', ...(found && { found }) })
    }
  },
}

/** Data that a recursion found, with the distance of their gradient. */
interface Solution {
  readonly end: ReadEnd
  readonly found: Recursion
  readonly data: Float32Array
  readonly residual: number
}

/** What the residual, other solutions and the certainty say together. */
async function judged(
  target: Target,
  chain: Chain,
  solutions: readonly Solution[],
  best: Solution,
  pause: Pause,
  goesOn: () => boolean,
): Promise<Parameters<typeof outcome>[3]> {
  const floor = Math.max(RESIDUAL, 3 * Math.sqrt(target.rounding))
  const { data, residual, end } = best
  const found = { data: tensorOf(target, data), ...(end.labels && { labels: end.labels }) }
  const evidence = { residual, floor }
  const away = `the gradient of the data found is ${residual.toExponential(1)} away from the shared one`
  try {
    const said = (status: Outcome['status'], reason: string) => ({ status, reason, found, evidence })
    const open = async () => (await ranksOf(chain, best.found, pause)).filter((layer) => layer.open !== 0)
    if (!(residual <= floor))
      return said(
        residual < NEAR ? 'partial' : 'failed',
        [away, ...(await open()).flatMap((layer) => openWords(layer) ?? [])].join('; '),
      )
    if (end.soft)
      return said(
        'partial',
        `${away} with targets that are not those of one class; that it is of one sample is not proven`,
      )
    const openOrFull = async () => {
      const layers = await open()
      const full = 'the equations of every layer have full rank, so that no other single sample near it should'
      return layers.length === 0 ? [full] : layers.flatMap((layer) => openWords(layer) ?? [])
    }
    const others = solutions.filter((one) => one !== best && one.residual <= floor && apart(one.data, data) > APART)
    if (others.length > 0)
      return said(
        'undetermined',
        `${away}, and so are ${others.length === 1 ? 'other data' : `${others.length} other data`}: without a bias the last layer leaves open how large its input was`,
      )
    const determined = await determinedAt(target, data, end, floor, () => !goesOn())
    if (!goesOn()) return said('cut', `${away}; the search for other data with this gradient was ended`)
    const unread = best.found.data.filter(Number.isNaN).length
    if (determined === false)
      return said(
        'undetermined',
        [
          `${away}, and the test of certainty leaves open whether other data have it too`,
          ...(await openOrFull()),
          ...(unread > 0 ? [`no layer reads ${unread} of the numbers`] : []),
        ].join('; '),
      )
    return said(determined ? 'proven' : 'matched', `every layer solved in turn, and ${away}`)
  } catch (error) {
    found.data.dispose()
    throw error
  }
}

/** The model as a chain of layers with inverses, or why the attack does not apply. */
async function chainIn(target: Target, pause: Pause = pauses(() => true)): Promise<Chain | string> {
  const { model, searched, settings, weights, whole, trained, rounding } = target
  const { batchSize, update, scale } = settings
  if (model.inputs.length !== 1 || searched.length !== 1)
    return `the model has ${countOf(model.inputs.length, 'input')}; it must have one, which is searched`
  if (batchSize !== 1) return `the batch has ${countOf(batchSize, 'sample')}; the equations of a layer are those of one`
  if (update && update.steps.length > 1)
    return `what was shared is of ${countOf(update.steps.length, 'local step')}; the equations of a layer are those of one gradient`
  if (scale === 'auto') return 'what was shared has a factor that is not known'
  const error = Math.sqrt(rounding)
  if (error > COARSE)
    return `what was shared is known up to ${error.toPrecision(1)} of its size; layer by layer errors grow, and more than ${COARSE} says nothing`
  try {
    const traced = traceOfOne(model, settings)
    const chain = await chainOf(traced, new Map([...traced.captured, ...weights]), pause)
    if (typeof chain !== 'string') return chain
    const names = whole.weights.filter((w) => w.trainable && !trained.some(({ name }) => name === w.name))
    return names.length === 0
      ? chain
      : `${chain}; the gradients of ${names.map(({ name }) => `'${name}'`).join(', ')} were not shared`
  } catch (error) {
    if (error instanceof DlgError) return `the model is not traced on one sample: ${error.message}`
    throw error
  }
}

function telling({ links }: Chain, i: number, count: number, { onProgress }: Control) {
  return (done: number): void =>
    onProgress?.({
      attack: 'r-gap',
      part: (i + done / links.length) / count,
      words: `${done} of ${countOf(links.length, 'layer')} solved${count > 1 ? `, for input ${i + 1} of ${count} that the last layer may have had` : ''}`,
    })
}

const tensorOf = ({ model }: Target, data: Float32Array) => tensor(data, [1, ...model.inputs[0].shape])

/** Numbers that no layer reads are the mean of the others. */
function withMean(data: Float64Array): Float32Array {
  const read = data.filter((v) => !Number.isNaN(v))
  const mean = read.reduce((sum, v) => sum + v, 0) / Math.max(1, read.length)
  return Float32Array.from(data, (v) => (Number.isNaN(v) ? mean : v))
}

/** Root mean square difference, in widths of the range of b. */
function apart(a: Float32Array, b: Float32Array): number {
  const range =
    b.reduce((most, v) => Math.max(most, v), -Infinity) - b.reduce((least, v) => Math.min(least, v), Infinity)
  return Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0) / a.length) / (range || 1)
}

/** Whether what was shared determines the data around these, and no mirror image of them has its gradient. */
async function determinedAt(
  target: Target,
  data: Values,
  { targets, given }: ReadEnd,
  tolerance: number,
  cut: () => boolean,
): Promise<boolean | undefined> {
  const compared: { node: g.Node<'input'>; values: Values }[] = []
  let numbers = false
  const traced = traceClient(target, (output, trained) => {
    const node = g.input(output.graph, `target ${trained.name}`, output.shape)
    compared.push({ node, values: targetRows(targets, trained) })
    numbers ||= targetKind(trained) === 'numbers'
    return node
  })
  const [{ name, shape }] = target.model.inputs
  const example = {
    traced,
    settings: target.settings,
    data: [{ name, shape, dtype: 'float32' as const, values: data }],
    inputs: [...traced.inputs, ...compared.map(({ node }) => node)],
    values: [data, ...compared.map(({ values }) => values)],
    parameters: new Map([...traced.captured, ...target.weights]),
    // several samples have targets of their own, and one target stands for them all
    targetsMove: numbers && !given,
  }
  const shared = new Map(traced.trained.map(({ name: weight }, i) => [weight, target.gradients[i]] as const))
  return determinedBy(example, shared, tolerance, cut)
}

async function ranksOf({ traced }: Chain, { layers }: Recursion, pause: Pause): Promise<LayerRank[]> {
  const ranks: LayerRank[] = []
  for (const { link, system } of layers)
    ranks.push(await paced(rankOf(traced.trained[link.weight].name, system), pause))
  return ranks
}
