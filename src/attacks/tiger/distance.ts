import * as tf from '@tensorflow/tfjs-core'
import type { Span } from '../dager/span'

/** ‖the part of u outside a span‖² / ‖u‖² for rows u, in operations that tfjs differentiates. */
export interface SubspaceDistance {
  /** @param inputs [rows, hidden] @returns [rows] */
  of(inputs: tf.Tensor2D): tf.Tensor1D
  dispose(): void
}

/** Σ over the parts of a span of ‖M u − R Rᵀ M u‖² / Σ ‖M u‖². */
export function subspaceDistance({ parts }: Span): SubspaceDistance {
  const held = parts.map(({ through, basis }) => ({
    through: through && tf.tensor2d(through.map((row) => Float32Array.from(row)) as never as number[][]),
    basis: tf.tensor2d(basis.map((row) => Array.from(row))),
  }))
  return {
    of: (inputs) =>
      tf.tidy(() => {
        const squares = held.map(({ through, basis }) => {
          const seen = through ? tf.matMul(inputs, through, false, true) : inputs
          const inside = tf.sum(tf.square(tf.matMul(seen, basis, false, true)), 1)
          return { all: tf.sum(tf.square(seen), 1), inside }
        })
        const [all, inside] = [tf.addN(squares.map((s) => s.all)), tf.addN(squares.map((s) => s.inside))]
        return tf.sub(1, tf.div(inside, tf.add(all, 1e-12))) as tf.Tensor1D
      }),
    dispose: () => tf.dispose(held.flatMap(({ through, basis }) => (through ? [through, basis] : [basis]))),
  }
}
