import * as tf from '@tensorflow/tfjs-core'
import * as g from '../../graph'
import type { Runtime } from '../../runtime/runtime'
import { type Captured, record } from '../../trace'
import { CUT, type Pause } from '../contract/pause'
import type { Problem } from './problem'

/** A sequence as indices into the choices of its positions. */
export type Chain = readonly number[]

/**
 * The objective of each sequence and position, [sequences, positions]: the squared parts of the inputs of both blocks outside their
 * spans, and where the word table is the output matrix, 1 − cos between the features at the position before and the token's own row.
 *
 * @param weights of the choices, [sequences, positions, choices], summing to 1: an embedding is Σ_k w_k E_k
 */
export function objectiveOf({ transformer, distances, words, rows }: Problem, weights: tf.Tensor3D): tf.Tensor2D {
  const [sequences, positions] = weights.shape
  // [positions, sequences, choices] · [positions, choices, hidden]
  const mixed = (table: tf.Tensor3D): tf.Tensor3D =>
    tf.transpose(
      tf.matMul(tf.transpose(weights, [1, 0, 2]), tf.slice(table, [0, 0, 0], [positions, -1, -1])),
      [1, 0, 2],
    ) as tf.Tensor3D
  const embedded = mixed(words)
  const terms = distances.map((distance, block) =>
    tf.reshape(distance.of(transformer.inputs!(embedded, block as 0 | 1)), [sequences, positions]),
  )
  if (rows && positions > 1) {
    const features = tf.reshape(transformer.inputs!(embedded, 2), [sequences, positions, -1])
    const before = tf.slice(features, [0, 0, 0], [sequences, positions - 1, -1])
    const own = tf.slice(mixed(rows), [0, 1, 0], [sequences, positions - 1, -1])
    terms.push(
      tf.pad(tf.sub(1, cosines(before, own)), [
        [0, 0],
        [1, 0],
      ]),
    )
  }
  return tf.addN(terms) as tf.Tensor2D
}

/** cos of the vectors of the last axis. */
const cosines = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
  tf.div(tf.sum(tf.mul(a, b), -1), tf.sqrt(tf.add(tf.mul(tf.sum(tf.square(a), -1), tf.sum(tf.square(b), -1)), 1e-20)))

/** Sequences that a program scores at a time. */
const SLICE = 64

/** The objective of sequences that are decided, by position. */
export interface Scorer {
  /** @throws CUT */
  scores(chains: readonly Chain[], pause: Pause): Promise<number[][]>
  dispose(): void
}

/**
 * A program for sequences of all positions. A shorter one is padded with first choices: a decoder's positions see only what is before
 * them.
 */
export async function scorerOf(problem: Problem, runtime: Runtime): Promise<Scorer> {
  const [positions, choices] = problem.words.shape
  const graph = g.createGraph()
  const weights = g.input(graph, 'weights', [SLICE, positions, choices])
  const parameters: Captured = new Map()
  const scores = record(graph, parameters, (recorder) =>
    recorder.nodeOf(objectiveOf(problem, recorder.tensorOf(weights) as tf.Tensor3D)),
  )
  const executable = await runtime.compile({ inputs: [weights], outputs: [scores] })
  const evaluator = await executable.bind(parameters)
  return {
    async scores(chains, pause) {
      const found: number[][] = []
      for (let from = 0; from < chains.length; from += SLICE) {
        const some = chains.slice(from, from + SLICE)
        const decided = new Float64Array(SLICE * positions * choices)
        for (let s = 0; s < SLICE; s++)
          for (let p = 0; p < positions; p++) decided[(s * positions + p) * choices + (some[s]?.[p] ?? 0)] = 1
        const [values] = await evaluator.run([decided])
        for (const [s, { length }] of some.entries())
          found.push(Array.from(values.subarray(s * positions, s * positions + length)))
        if (await pause()) throw CUT
      }
      return found
    },
    dispose() {
      evaluator.dispose()
      executable.dispose()
    },
  }
}
