import { Tensor } from '@tensorflow/tfjs-core'
import { requireNames } from '../../client/model/each'
import { fitsFloat32, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { type Shape, sizeOf } from '../../graph'
import { random } from '../../numbers/random'
import { flat } from '../../numbers/values'
import type { Settings } from './options'
import type { Part } from './point'
import type { Start } from './search/options'

/** Spread of the noise around mid-gray, in units of the data's range. */
const GRAY_NOISE = 0.1

/** Where each restart begins: the searched inputs first, then the numbers behind unknown targets. */
export async function startPoint(
  settings: Settings,
  inputs: readonly Part[],
  targets: readonly Part[],
): Promise<(restart: number) => Promise<Float64Array>> {
  const { init } = settings
  const given = typeof init === 'object' ? await givenParts(init, inputs, targets) : undefined
  // a part's numbers depend on how many were drawn before it: only behind the last part that is not given is nothing drawn
  const last = given ? given.lastIndexOf(undefined) : Number.POSITIVE_INFINITY
  return async (restart) => {
    const from = random(settings.seed, restart)
    const [low, high] = settings.dataRange
    const draw: () => number = {
      gray: () => (low + high) / 2 + GRAY_NOISE * (high - low) * from.normal(),
      normal: () => from.normal(),
      uniform: () => low + (high - low) * from.uniform(),
    }[typeof init === 'string' ? init : 'gray']
    const drawn = [...inputs, ...targets].map(({ shape }, i) => {
      if (restart === 0 && i > last) return undefined
      return drawnFrom(i < inputs.length ? draw : () => from.normal(), sizeOf(shape))
    })
    return flat(drawn.map((part, i) => (restart === 0 && given?.[i]) || part!))
  }
}

/** A plain loop: `Float64Array.from` is slow until V8 compiles it, and most attacks draw once. */
function drawnFrom(draw: () => number, size: number): Float64Array {
  const out = new Float64Array(size)
  for (let i = 0; i < size; i++) out[i] = draw()
  return out
}

/** The parts of a given start, in the order of the point; undefined where one is drawn. */
async function givenParts(init: Start, inputs: readonly Part[], targets: readonly Part[]) {
  if (init.labels && targets.length === 0) throw new DlgError('invalid-option', "init.labels needs labels: 'joint'")
  return [...(await partsOf('init.data', init.data, inputs)), ...(await partsOf('init.labels', init.labels, targets))]
}

async function partsOf(what: string, given: Start['data'] | undefined, parts: readonly Part[]) {
  if (given === undefined) return parts.map(() => undefined)
  // one tensor is the first part
  if (!isMap(given))
    return Promise.all(parts.map((part, i) => (i === 0 ? numbers(what, given, part.shape) : undefined)))
  const names = parts.map(({ name }) => name)
  requireNames(what, Object.keys(given), names, 'invalid-option')
  return Promise.all(
    parts.map(({ name, shape }) =>
      Object.hasOwn(given, name) ? numbers(`${what}.${name}`, given[name], shape) : undefined,
    ),
  )
}

type Numbers = Tensor | ArrayLike<number>

const isMap = (given: Start['data']): given is { readonly [name: string]: Numbers } =>
  typeof given === 'object' &&
  given !== null &&
  !(given instanceof Tensor) &&
  typeof (given as ArrayLike<number>).length !== 'number'

async function numbers(name: string, values: Numbers, shape: Shape): Promise<Float64Array> {
  if (values instanceof Tensor && values.isDisposed)
    throw new DlgError('invalid-option', `${name} is a disposed tensor`)
  const read: ArrayLike<unknown> = values instanceof Tensor ? await values.data() : values
  if (typeof read?.length !== 'number' || typeof read === 'string')
    throw new DlgError('invalid-option', `${name} is ${show(values)}; it must be a tensor or a list of numbers`)
  const out = Float64Array.from(read, (v) => (typeof v === 'number' ? v : Number.NaN))
  if (out.length !== sizeOf(shape))
    throw new DlgError(
      'invalid-option',
      `${name} has ${countOf(out.length, 'number')}; [${shape}] needs ${sizeOf(shape)}`,
    )
  const wrong = out.findIndex((v) => !fitsFloat32(v))
  if (wrong >= 0)
    throw new DlgError(
      'invalid-option',
      `${name} has ${out[wrong]} at position ${wrong}; every number must be finite, as float32 holds it`,
    )
  return out
}
