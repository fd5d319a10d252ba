import { knownNames, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { OnnxModelOptions } from './model-from-onnx'

/** Options of a model out of a file, with their defaults. @throws DlgError `invalid-option` */
export function fileOptions(options: OnnxModelOptions, known: readonly string[], called: string) {
  knownNames('options', options, known)
  const { name = called, trainable, outputs, inputShape = {}, channelsLast = true, externalData = {} } = options
  const wrong = (what: string, value: unknown, right: string) =>
    new DlgError('invalid-option', `${what} is ${show(value)}; it must be ${right}`)
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
  if (typeof name !== 'string') throw wrong('name', name, 'a string')
  if (trainable !== undefined && !isObject(trainable))
    throw wrong('trainable', trainable, 'names, or an object or Map by names')
  const names =
    trainable === undefined
      ? undefined
      : trainable instanceof Map
        ? [...trainable.keys()]
        : Array.isArray(trainable)
          ? trainable
          : Object.keys(trainable)
  const strange = names?.find((n) => typeof n !== 'string')
  if (strange !== undefined) throw wrong('trainable', strange, 'names, or an object or Map by names')
  if (
    outputs !== undefined &&
    !(Array.isArray(outputs) && outputs.length > 0 && outputs.every((o) => typeof o === 'string'))
  )
    throw wrong('outputs', outputs, 'a list of names')
  if (!isObject(inputShape) || Array.isArray(inputShape)) throw wrong('inputShape', inputShape, 'shapes by input')
  for (const [input, shape] of Object.entries(inputShape))
    if (!(Array.isArray(shape) && shape.every((n) => Number.isInteger(n) && n > 0)))
      throw wrong(`inputShape.${input}`, shape, 'a list of whole numbers above 0, without the batch axis')
  if (typeof channelsLast !== 'boolean') throw wrong('channelsLast', channelsLast, 'true or false')
  if (!isObject(externalData)) throw wrong('externalData', externalData, 'bytes by file name')
  return { name, trainable: names as readonly string[] | undefined, outputs, inputShape, channelsLast, externalData }
}
