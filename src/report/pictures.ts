import { encodeGif, encodePng, gallery, type Image, strip } from '../io'
import type { Verdict } from '../measure/verdict'
import type { Files } from './files'
import { clamped, type Sample } from './samples'

/** The best point when an iteration began. */
export interface Frame {
  readonly iteration: number
  readonly data: Float32Array
}

/** Frames of the film; the last is the result. */
const FILM = 40

/** Original, noise, some steps and the result of one image side by side, and the film of it. */
export function stripAndFilm([sample]: readonly Sample[], frames: readonly Frame[], end: Ended): Files {
  const size = sample.original.width
  const steps = spread(frames.slice(1), 5)
  const picture = ({ data }: Frame): Image => clamped(data, size)
  const images = [sample.original, picture(frames[0]), ...steps.map(picture), sample.reconstruction]
  const captions = ['original', 'noise', ...steps.map((f) => `step ${f.iteration}`), verdict(sample, end)]
  const film = [frames[0], ...spread(frames.slice(1), FILM)].map(picture)
  return {
    'strip.png': encodePng(strip(images, { captions, scale: enlarge(size, 128) })),
    'steps.gif': encodeGif([...film, sample.reconstruction], { delayMs: 120, scale: enlarge(size, 192) }),
  }
}

/** Originals above, reconstructions below, and the film of all reconstructions side by side. */
export function galleryAndFilm(samples: readonly Sample[], frames: readonly Frame[], end: Ended): Files {
  const size = samples[0].original.width
  const pixels = size * size * 3
  const row = ({ data }: Frame): Image =>
    strip(
      samples.map(({ slot }) => clamped(data.subarray(slot * pixels, (slot + 1) * pixels), size)),
      { scale: 1, gap: 1 },
    )
  const last = strip(
    samples.map((s) => s.reconstruction),
    { scale: 1, gap: 1 },
  )
  return {
    'gallery.png': encodePng(
      gallery([samples.map((s) => s.original), samples.map((s) => s.reconstruction)], {
        captions: samples.map((s) => verdict(s, end)),
        scale: enlarge(size, 128),
      }),
    ),
    'steps.gif': encodeGif([...[frames[0], ...spread(frames.slice(1), FILM)].map(row), last], {
      delayMs: 120,
      scale: enlarge(size, 128),
    }),
  }
}

/** A picture of an attack that failed says so. */
const verdict = ({ psnr }: Sample, end: Ended): string => [...captionOf(end), `${psnr.toFixed(1)} dB`].join('\n')

/** How an attack ended, as far as a picture of it must say. */
export type Ended = Pick<Verdict, 'name' | 'failed'>

/** The word for an attack that failed: one that came closer than every guess is partial, as everywhere. */
export const captionOf = ({ name, failed }: Ended): string[] =>
  failed ? [name === 'partial' ? 'partial' : 'failed'] : []

const enlarge = (size: number, to: number): number => Math.max(1, Math.round(to / size))

/** Some of the frames, spread evenly over the logarithm of their steps: reconstructions change fastest at first. */
function spread(frames: readonly Frame[], count: number): Frame[] {
  if (frames.length <= count) return [...frames]
  const steps = frames[frames.length - 1].iteration
  const wanted = Array.from({ length: count }, (_, i) => Math.round(steps ** ((i + 1) / (count + 1))) + 1)
  return [...new Set(wanted.map((step) => frames.find((f) => f.iteration >= step) ?? frames[frames.length - 1]))]
}
