import type { Tensor } from '@tensorflow/tfjs-core'
import type { Leakage } from '../attacks/matching/leakage'
import { encodePng, gallery, type Image, writeNpz, writeSafetensors } from '../io'
import type { PairedSample } from '../measure/samples'
import type { Files } from './files'
import { captionOf, type Ended } from './pictures'
import { hatchedPixels } from './samples'

/** Pictures of one row of the gallery. */
const ACROSS = 8

/** The most pixels of all pictures together, which a gallery of both kinds must hold. */
const MOST_PIXELS = 2e7

/** The pixels that a small picture is enlarged to. */
const SIDE = 128

/**
 * The reconstruction as tensors: `data` and `targets`, or `data/NAME` and `targets/NAME` where there are several. Targets are
 * label probabilities, or numbers of a regression.
 */
export function tensorFile(leak: Leakage, format: 'npz' | 'safetensors'): Files {
  const inputs = Object.entries(leak.inputs)
  const outputs = Object.entries(leak.outputs).map(([name, { targets }]) => [name, targets] as const)
  const tensors = new Map([...entries('data', inputs), ...entries('targets', outputs)])
  return format === 'npz'
    ? { 'data.npz': writeNpz(tensors) }
    : { 'data.safetensors': writeSafetensors(tensors, { status: leak.status }) }
}

const entries = (kind: string, named: readonly (readonly [string, Tensor])[]) =>
  named.map(
    ([name, tensor]) =>
      [
        named.length === 1 ? kind : `${kind}/${name}`,
        { shape: tensor.shape, data: tensor.dataSync() as Float32Array },
      ] as const,
  )

/** Whether samples look like pictures: [height, width, 1 or 3]. */
const isPicture = ([height, width, channels, ...more]: readonly number[]): boolean =>
  more.length === 0 && height > 1 && width > 1 && (channels === 1 || channels === 3)

/**
 * Reconstructions in rows, each row below its originals where there are any; nothing where the data are no pictures.
 * Pixels that are not determined are hatched.
 *
 * @param undo from what the model sees to what the range is of, in which the originals are given
 */
export function pictureFile(
  { data, certainty }: Pick<Leakage, 'data' | 'certainty'>,
  measured: readonly PairedSample[] | undefined,
  range: readonly [number, number],
  end: Ended,
  undo: (values: Float32Array) => Float32Array,
): Files {
  const [samples, ...shape] = data.shape
  if (!isPicture(shape)) return {}
  const values = undo(data.dataSync() as Float32Array)
  const size = values.length / samples
  const picture = (v: Float32Array) => pictureOf(v, shape, range)
  const marks = certainty?.undetermined.data.dataSync()
  const reconstruction = (slot: number): Image => {
    const hatched = marks && hatchedPixels(marks, slot, shape[0] * shape[1], shape[2])
    return { ...picture(values.subarray(slot * size, (slot + 1) * size)), ...(hatched && { hatched }) }
  }
  const slots = measured?.map(({ slot }) => slot) ?? Array.from({ length: samples }, (_, i) => i)
  const scale = Math.max(1, Math.round(SIDE / Math.max(shape[0], shape[1])))
  const most = Math.max(1, Math.floor(MOST_PIXELS / (shape[0] * shape[1] * scale ** 2)))
  const found = slots.slice(0, most).map(reconstruction)
  const originals = measured?.slice(0, most).map(({ original }) => picture(original))
  const rows: Image[][] = []
  for (let at = 0; at < found.length; at += ACROSS) {
    if (originals) rows.push(originals.slice(at, at + ACROSS))
    rows.push(found.slice(at, at + ACROSS))
  }
  const captions = certainty?.determined === false ? ['undetermined'] : captionOf(end)
  return { 'gallery.png': encodePng(gallery(rows, { scale, captions })) }
}

/** Gray is the same in all channels; what lies outside the range cannot be seen. */
function pictureOf(
  values: Float32Array,
  [height, width, channels]: readonly number[],
  [low, high]: readonly [number, number],
): Image {
  const level = (v: number): number => Math.min(Math.max((v - low) / (high - low), 0), 1)
  const data = new Float32Array(width * height * 3)
  for (let i = 0; i < data.length; i++) data[i] = level(values[channels === 3 ? i : Math.floor(i / 3)])
  return { width, height, data }
}
