import { dispose, type Tensor, tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { type PackedModel, unpackModel } from './model'
import { KIND, type Packed } from './pack'

/** What signals and listeners of a call are on the other side. */
export interface Far {
  signal(index: number, aborted: boolean): AbortSignal
  listener(index: number): (...args: unknown[]) => unknown
}

/** A value out of a parcel, and what was made for it. */
export interface Unpacked {
  readonly value: unknown
  readonly tensors: readonly Tensor[]
  readonly models: readonly LayersModel[]
}

/** Makes the value that was packed, in place: the parts of a message belong to whoever receives it. */
export async function unpack(packed: unknown, far?: Far): Promise<Unpacked> {
  const tensors: Tensor[] = []
  const models: LayersModel[] = []
  const done = new Map<object, unknown>()

  const walkEntries = async (from: Packed & { readonly entries: readonly unknown[] }): Promise<unknown> => {
    const made = from[KIND] === 'map' ? new Map<unknown, unknown>() : new Set<unknown>()
    // before its parts: it may hold itself
    done.set(from, made)
    for (const part of from.entries) {
      if (made instanceof Set) made.add(await walk(part))
      else {
        const [key, value] = part as [unknown, unknown]
        made.set(key, await walk(value))
      }
    }
    return made
  }
  const make = async (from: Packed, own: Tensor[]): Promise<unknown> => {
    switch (from[KIND]) {
      case 'tensor': {
        const made = tensor(from.data as Float32Array, [...from.shape], from.dtype as 'float32')
        tensors.push(made)
        return made
      }
      case 'model': {
        const weights = from.weights.map((w) => w as Packed & { data: Float32Array; shape: number[] })
        const made = weights.map(({ data, shape }) => tensor(data, shape))
        try {
          const model = await unpackModel({ ...(from as PackedModel), weights: made })
          models.push(model)
          return model
        } finally {
          dispose(made)
        }
      }
      case 'map':
      case 'set':
        return walkEntries(from)
      case 'signal':
        return far!.signal(from.index, from.aborted)
      case 'listener':
        return far!.listener(from.index)
      case 'copy':
        return () => from.value
      case 'dispose':
        return () => dispose(own.filter((t) => !t.isDisposed))
    }
  }
  const walk = async (from: unknown, own: Tensor[] = []): Promise<unknown> => {
    if (typeof from !== 'object' || from === null || ArrayBuffer.isView(from)) return from
    const known = done.get(from)
    if (known !== undefined) return known
    if (KIND in from) {
      const made = await make(from as Packed, own)
      done.set(from, made)
      return made
    }
    const plain = Array.isArray(from) || Object.getPrototypeOf(from) === Object.prototype
    if (!plain) return from
    done.set(from, from)
    const begin = tensors.length
    const within: Tensor[] = []
    const parts = from as Record<string, unknown>
    for (const key of Object.keys(parts)) parts[key] = await walk(parts[key], within)
    within.push(...tensors.slice(begin))
    return from
  }
  try {
    return { value: await walk(packed), tensors, models }
  } catch (error) {
    dispose(tensors)
    for (const model of models) model.dispose()
    throw error
  }
}
