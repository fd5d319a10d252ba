import type { NamedGradients } from '../../client/shared/read-gradients'
import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { Projection } from '../dager/seen'
import type { Transformer } from '../dager/transformer'

/**
 * The projections of a block. A transformer may be the caller's own, so what it gives is checked.
 *
 * @throws DlgError `invalid-model` for what is no list of finite rows
 */
export async function projectionsOf(
  transformer: Transformer,
  block: 0 | 1,
  shared: NamedGradients,
): Promise<readonly Projection[]> {
  const { name, hidden } = transformer
  const given: unknown = await transformer.projections(block, shared)
  const wrong = (what: string): DlgError =>
    new DlgError(
      'invalid-model',
      `projections() of the transformer '${name}' gave ${what} for block ${block}; it must give a list of {values}, each a Float64Array or Float32Array of rows of ${hidden} finite numbers`,
    )
  if (!Array.isArray(given)) throw wrong(show(given))
  for (const [i, one] of (given as (Projection | undefined)[]).entries()) {
    const values: unknown = one?.values
    if (!(values instanceof Float64Array || values instanceof Float32Array)) throw wrong(`${show(values)} at ${i}`)
    // behind an adapter's A [rank, hidden] a row has as many numbers as its rank
    const width = one?.through ? one.through.data?.length / hidden : hidden
    if (!(width >= 1) || values.length % width !== 0) throw wrong(`${values.length} numbers at ${i}`)
    const strange = values.find((v: number) => !Number.isFinite(v))
    if (strange !== undefined) throw wrong(`${strange} at ${i}`)
  }
  return given as Projection[]
}
