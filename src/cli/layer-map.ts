import { DlgError } from '../errors/dlg-error'
import type { LayoutOptions } from '../io'
import { isRecord } from '../io/bytes/untrusted'
import { readBytes } from '../io/files/read-bytes'
import { parseJson } from '../io/tensors/json-tensors'

const RIGHT = '{"map": {"conv1": "conv2d_Conv2D1"}, "flatten": {"fc.weight": [16, 5, 5]}}'

/**
 * Reads which PyTorch layer is which, and what is flattened: `map` and `flatten` of `fromPyTorch`, from JSON.
 *
 * @throws DlgError `invalid-file`
 */
export function readLayerMap(path: string): LayoutOptions {
  const json = parseJson(readBytes(path), path)
  const wrong = (what: string) => new DlgError('invalid-file', `${path}: ${what}; it must be like ${RIGHT}`)
  if (!isRecord(json)) throw wrong('is no object')
  const { map = {}, flatten = {}, ...others } = json
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) throw wrong(`has '${stranger}'`)
  if (!isRecord(map) || !Object.values(map).every((to) => typeof to === 'string')) throw wrong('map has no layer names')
  if (!isRecord(flatten) || !Object.values(flatten).every(isOrder)) throw wrong('flatten has no shapes')
  return { map, flatten } as LayoutOptions
}

const isOrder = (order: unknown): boolean =>
  order === 'channels-last' || (Array.isArray(order) && order.every((n) => Number.isInteger(n) && n > 0))
