import * as tf from '@tensorflow/tfjs-core'
import * as g from '../../graph'
import type { Random } from '../../numbers/random'
import { adam } from '../../optim'
import type { Runtime } from '../../runtime/runtime'
import { type Captured, record } from '../../trace'
import { CUT, type Pause } from '../contract/pause'
import { gain } from './chains'
import { type Chain, objectiveOf, type Scorer } from './objective'
import type { Problem } from './problem'

/** Adam's rate, in units of the logits. */
const RATE = 0.2

/** How much likelier the prior makes a token that lies nearer to the first span by its whole length. */
const PRIOR = 6

/** How much likelier the token of a beginning is than the others. */
const BEGUN = 2

/** Standard deviation of the logits at a beginning. */
const SPREAD = 0.5

export interface Descended {
  readonly chain: Chain
  /** Σ (objective − limit) over its positions. */
  readonly score: number
}

/**
 * The distance to the subspaces minimised over embeddings (Kalikman et al. 2026, TIGER), with first-order gradients alone, then
 * snapped to tokens. An embedding is a mixture Σ_k softmax(z)_k E_k of a position's likeliest tokens, which keeps it among
 * embeddings; the prior over them is the distance of each to the first span, where z begins.
 *
 * @param starts sequences to begin with; the start is given back where the snapped result is no better,
 * or where it left for another sentence of a batch
 * @param limit the objective of a position from which it counts against a sequence
 * @throws CUT
 */
export async function descend(
  problem: Problem,
  scorer: Scorer,
  starts: readonly Chain[],
  limit: number,
  steps: number,
  runtime: Runtime,
  { normal }: Random,
  pause: Pause,
  evaluated: (objective: number) => void,
): Promise<Descended[]> {
  const { choices, words } = problem
  const { causal } = problem.transformer
  const most = words.shape[1]
  const longest = Math.max(...starts.map(({ length }) => length))
  const begin = Float64Array.from(
    starts.flatMap((chain) =>
      Array.from({ length: longest }, (_, p) =>
        Array.from({ length: most }, (_, k) => {
          const choice = choices[p][k]
          // a position with fewer choices repeats the last one
          if (!choice) return -1e3
          return -PRIOR * choice.far + (chain[p] === k ? BEGUN : 0) + SPREAD * normal()
        }),
      ).flat(),
    ),
  )
  const shape = [starts.length, longest, most]
  const program = traced(problem, starts, shape)
  const executable = await runtime.compile(program)
  try {
    const evaluator = await executable.bind(program.parameters)
    try {
      const optimizer = adam({ learningRate: RATE, decay: 'cosine', steps })
      let state = optimizer.init(begin)
      for (let step = 0; step < steps && state.stopped === undefined; step++) {
        const [cost, slope] = await evaluator.run([state.point])
        evaluated(cost[0])
        state = optimizer.step(state, { value: cost[0], gradient: Float64Array.from(slope) })
        if (await pause()) throw CUT
      }
      const ids = largest(state.point, most)
      const snapped = starts.map((chain, s) =>
        chain.map((_, p) => Math.min(ids[s * longest + p], choices[p].length - 1)),
      )
      const [before, after] = [await scorer.scores(starts, pause), await scorer.scores(snapped, pause)]
      return starts.map((chain, s) => {
        const [own, next] = [before[s], after[s]].map((scores) => gain(scores, limit))
        return next < own && (!causal || isSame(chain, snapped[s]))
          ? { chain: snapped[s], score: next }
          : { chain, score: own }
      })
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

/** The objective, summed over the positions of all sequences, and its gradient: a program of the logits. */
function traced(problem: Problem, starts: readonly Chain[], shape: readonly number[]) {
  const graph = g.createGraph()
  const logits = g.input(graph, 'logits', shape)
  const parameters: Captured = new Map()
  const cost = record(graph, parameters, (recorder) => {
    const mask = tf.tensor2d(
      starts.map((chain) => Array.from({ length: shape[1] }, (_, p) => (p < chain.length ? 1 : 0))),
    )
    const weights = tf.softmax(recorder.tensorOf(logits) as tf.Tensor3D)
    return recorder.nodeOf(tf.sum(tf.mul(objectiveOf(problem, weights), mask)))
  })
  return { inputs: [logits], outputs: [cost, ...g.grad(cost, [logits])], parameters }
}

/** Whether a result is still the sentence that it began with, and not another one of the batch. */
const isSame = (start: Chain, end: Chain): boolean => 2 * start.filter((k, p) => end[p] === k).length > start.length

/** The index of the largest number of each row. */
function largest(values: Float64Array, width: number): number[] {
  return Array.from({ length: values.length / width }, (_, r) => {
    const row = values.subarray(r * width, (r + 1) * width)
    return row.indexOf(Math.max(...row))
  })
}
