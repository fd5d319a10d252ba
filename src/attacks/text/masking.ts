import type { Criterion } from '../../client/model/criterion'
import { idList, number } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { random } from '../../numbers/random'

/** A sentence of a masked language model: some tokens are hidden and have to be said. */
export interface MaskedSentence {
  /** Token ids that the model sees, with the mask in the place of hidden ones. */
  readonly tokens: readonly number[]
  /** The hidden tokens, by position: the model is trained to predict them. */
  readonly targets: readonly { readonly position: number; readonly token: number }[]
}

const isId = (id: number): boolean => Number.isInteger(id) && id >= 0

/**
 * Hides tokens between the first and the last one.
 *
 * @param share of the tokens, in (0, 1]; at least one is hidden. Default 0.15, as BERT trains.
 * @throws DlgError `invalid-data`, `invalid-option`
 */
export function maskTokens(tokens: readonly number[], mask: number, seed: number, share = 0.15): MaskedSentence {
  idList('tokens', tokens)
  number('mask', mask, isId, 'the id of the mask token')
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  number('share', share, (v) => v > 0 && v <= 1, 'a number in (0, 1]')
  const inside = tokens.length - 2
  if (inside < 1)
    throw new DlgError('invalid-data', 'there is no token to mask; there must be one between the first and the last')
  const from = random(seed)
  const order = Array.from({ length: inside }, (_, i) => ({ position: i + 1, key: from.uniform() }))
  order.sort((a, b) => a.key - b.key)
  const hidden = new Set(order.slice(0, Math.max(1, Math.round(share * inside))).map(({ position }) => position))
  return {
    tokens: tokens.map((token, i) => (hidden.has(i) ? mask : token)),
    targets: tokens.flatMap((token, position) => (hidden.has(position) ? [{ position, token }] : [])),
  }
}

/** The loss itself is what the model gives. */
export const lossOfModel = (): Criterion => ({
  name: 'lossOfModel',
  loss: (output) => g.reshape(output, [output.shape[0]]),
})
