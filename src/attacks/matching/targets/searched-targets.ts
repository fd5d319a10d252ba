import type { TargetKind } from '../../../client/model/criterion'
import type { TrainedOutput } from '../../../client/model/outputs'
import { DlgError } from '../../../errors/dlg-error'
import * as g from '../../../graph'

/** Targets that are searched: any numbers are turned into targets of a kind. */
export interface SearchedTargets {
  readonly input: g.Node<'input'>
  readonly node: g.Node
  /** The targets at the searched numbers. */
  read(part: Float64Array): Float32Array
}

/** @throws DlgError `labels` for a soft-max over one class, which is always 1 */
export function searchedTargets(kind: TargetKind, { name, node: { graph, shape } }: TrainedOutput): SearchedTargets {
  const input = g.input(graph, `labels ${name}`, shape)
  const classes = shape[shape.length - 1]
  switch (kind) {
    case 'classes':
      if (classes === 1)
        throw new DlgError(
          'labels',
          "labels: 'joint' needs at least two classes; the model has one output: give the targets",
        )
      return { input, node: g.softmax(input), read: (part) => softmaxRows(part, classes) }
    case 'bits':
      return { input, node: g.sigmoid(input), read: (part) => Float32Array.from(part, (v) => 1 / (1 + Math.exp(-v))) }
    case 'numbers':
      return { input, node: input, read: (part) => Float32Array.from(part) }
    default:
      throw new DlgError('labels', `targets are unknown as '${kind}'; it must be 'classes', 'bits' or 'numbers'`)
  }
}

/** Probabilities of rows of label logits. */
function softmaxRows(logits: Float64Array, classes: number): Float32Array {
  const out = new Float32Array(logits.length)
  for (let at = 0; at < logits.length; at += classes) {
    const row = logits.subarray(at, at + classes)
    const top = row.reduce((a, b) => Math.max(a, b))
    const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0)
    row.forEach((v, i) => {
      out[at + i] = Math.exp(v - top) / total
    })
  }
  return out
}
