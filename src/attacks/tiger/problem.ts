import * as tf from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import { tensorValues } from '../../client/shared/tensor-values'
import { CUT, type Pause, paced } from '../contract/pause'
import { firstInput } from '../dager/first-inputs'
import { ROOM } from '../dager/ranks'
import { type Projection, type Seen, seenBy } from '../dager/seen'
import { outside } from '../dager/span'
import type { Transformer } from '../dager/transformer'
import type { Table } from '../tokens/token-set'
import { type SubspaceDistance, subspaceDistance } from './distance'
import { positionsAbove, tokensAbove } from './prior'

/** Tokens that are tried at a position. */
const SHORTLIST = 24

/** A token that may stand at a position, with the squared part of its input outside the first span. */
export interface Choice {
  readonly token: number
  readonly far: number
}

/** What the search knows. */
export interface Problem {
  readonly transformer: Transformer
  readonly seen: readonly [Seen, Seen | undefined]
  /** By position: the likeliest tokens, the nearest to the span first. */
  readonly choices: readonly (readonly Choice[])[]
  /** By block: the distance to its span. */
  readonly distances: readonly SubspaceDistance[]
  /** Embeddings of the choices, [positions, choices, hidden]. */
  readonly words: tf.Tensor3D
  /**
   * By position: −∂E of its choices, divided by their length, [positions, choices, hidden]; where the word table is the output matrix,
   * a token's row holds the features that it was predicted from.
   */
  readonly rows?: tf.Tensor3D
  dispose(): void
}

/** @throws CUT */
export async function problemOf(
  transformer: Transformer,
  shared: NamedGradients,
  projections: readonly [readonly Projection[], readonly Projection[]],
  pause: Pause,
): Promise<Problem> {
  const { hidden, tables } = transformer
  const first = await paced(seenBy(projections[0], hidden), pause)
  const second = projections[1].length > 0 ? await paced(seenBy(projections[1], hidden), pause) : undefined
  const gradient = async (name: string | undefined) =>
    name !== undefined && Object.hasOwn(shared, name)
      ? tensorValues(shared[name], `gradient of '${name}'`, Float32Array)
      : undefined
  const [words, places] = [await gradient(tables?.words), await gradient(tables?.positions)]
  const inputs = await transformer.firstInputs()
  const all = places ? positionsAbove(places, hidden) : (inputs.positions?.data.length ?? 0) / hidden
  const count = inputs.words.data.length / hidden
  const allowed = (words && tokensAbove(words, hidden)) ?? Array.from({ length: count }, (_, v) => v)
  const spanOf = (seen: Seen) => seen.span(Math.min(seen.ranks.likely[0] ?? hidden - ROOM, seen.most))
  const span = spanOf(first)
  const choices: Choice[][] = []
  for (let position = 0; position < all; position++) {
    const list: Choice[] = []
    for (const token of allowed) {
      list.push({ token, far: outside(span, firstInput(inputs, token, position)).far ** 2 })
      if (await pause()) throw CUT
    }
    choices.push(list.sort((a, b) => a.far - b.far).slice(0, SHORTLIST))
  }
  const distances = [span, ...(second ? [spanOf(second)] : [])].map(subspaceDistance)
  const table = rowsOf(inputs.words, choices)
  const rows = words && tables?.tied ? directionsOf(words, hidden, choices) : undefined
  return {
    ...{ transformer, seen: [first, second], choices, distances, words: table, ...(rows && { rows }) },
    dispose() {
      for (const distance of distances) distance.dispose()
      tf.dispose(rows ? [table, rows] : table)
    },
  }
}

const width = (choices: readonly (readonly Choice[])[]): number => Math.max(...choices.map(({ length }) => length))

/** Embeddings of the choices; a position with fewer of them repeats its last one. */
function rowsOf(words: Table, choices: readonly (readonly Choice[])[]): tf.Tensor3D {
  const most = width(choices)
  const data = new Float32Array(choices.length * most * words.width)
  for (const [p, list] of choices.entries())
    for (let k = 0; k < most; k++) {
      const { token } = list[Math.min(k, list.length - 1)]
      data.set(words.data.subarray(token * words.width, (token + 1) * words.width), (p * most + k) * words.width)
    }
  return tf.tensor3d(data, [choices.length, most, words.width])
}

/** −∂E of the choices, each of length 1. */
function directionsOf(gradient: Float32Array, hidden: number, choices: readonly (readonly Choice[])[]): tf.Tensor3D {
  return tf.tidy(() => {
    const rows = rowsOf({ data: gradient, width: hidden }, choices)
    return tf.neg(tf.div(rows, tf.add(tf.norm(rows, 2, -1, true), 1e-30))) as tf.Tensor3D
  })
}
