import { knownNames, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { ADVANCE, GLYPH_HEIGHT, GLYPH_WIDTH, hasInk, LINE_HEIGHT } from './font'
import { checkImage, type Image, isLength, MAX_PIXELS } from './raster'

/** Sizes and captions of a row or a table of pictures. */
export interface StripOptions {
  /** Each pixel becomes a square of this side. Default 6. */
  readonly scale?: number
  /** White space around and between images, in pixels of the result. Default 4. */
  readonly gap?: number
  /**
   * One text for each column, drawn below it: capitals, digits and `.,:%-+/()=<>!?#'*_∞`, other characters as `?`,
   * lines separated by `\n`. A column widens to hold its caption.
   */
  readonly captions?: readonly string[]
}

/**
 * Puts images side by side, enlarged by nearest neighbour, on white.
 *
 * @throws DlgError `invalid-data` as {@link gallery}.
 */
export function strip(images: readonly Image[], options: StripOptions = {}): Image {
  if (!Array.isArray(images))
    throw new DlgError('invalid-data', `strip: images is ${show(images)}; it must be a list of images`)
  return gallery([images], options)
}

/**
 * Puts images in a grid, enlarged by nearest neighbour, on white: originals above, reconstructions below.
 *
 * Rows may differ in length and images in size; each is drawn in the middle of its column and row.
 *
 * @throws DlgError `invalid-data` when there is no image, an image is malformed, there are more captions than columns,
 * an option is out of range, or the result would exceed 50 megapixels.
 */
export function gallery(rows: readonly (readonly Image[])[], options: StripOptions = {}): Image {
  knownNames('strip options', options, ['scale', 'gap', 'captions'])
  const { scale = 6, gap = 4, captions = [] } = options
  if (!Array.isArray(rows) || !rows.every((row) => Array.isArray(row)))
    throw new DlgError('invalid-data', `strip: rows is ${show(rows)}; it must be a list of lists of images`)
  const columns = Math.max(0, ...rows.map((row) => row.length))
  checkLayout(rows, columns, { scale, gap, captions })

  // Captions stay legible beside enlarged images, and small beside images at their own size.
  const dot = scale < 4 ? 1 : 2
  const lines = Array.from({ length: columns }, (_, i) => (captions[i] ? captions[i].split('\n') : []))
  const widths = lines.map((texts, i) =>
    Math.max(1, ...rows.map((row) => (row[i]?.width ?? 0) * scale), ...texts.map((text) => textWidth(text) * dot)),
  )
  const heights = rows.map((row) => Math.max(0, ...row.map((image) => image.height)) * scale)
  const captionHeight = Math.max(...lines.map((texts) => texts.length)) * LINE_HEIGHT * dot

  const width = gap + widths.reduce((sum, w) => sum + w + gap, 0)
  const height = gap + heights.reduce((sum, h) => sum + h + gap, 0) + captionHeight
  if (width * height > MAX_PIXELS) {
    throw new DlgError('invalid-data', `strip: ${width}x${height} must be at most ${MAX_PIXELS / 1e6} megapixels`)
  }
  const canvas = { width, height, data: new Float32Array(width * height * 3).fill(1) }

  let y = gap
  rows.forEach((row, r) => {
    let x = gap
    row.forEach((image, i) => {
      const left = x + Math.floor((widths[i] - image.width * scale) / 2)
      drawImage(canvas, image, left, y + Math.floor((heights[r] - image.height * scale) / 2), scale)
      x += widths[i] + gap
    })
    y += heights[r] + gap
  })
  let x = gap
  lines.forEach((texts, i) => {
    texts.forEach((text, line) => {
      const left = x + Math.floor((widths[i] - textWidth(text) * dot) / 2)
      drawText(canvas, text, left, y + line * LINE_HEIGHT * dot, dot)
    })
    x += widths[i] + gap
  })
  return canvas
}

function checkLayout(
  rows: readonly (readonly Image[])[],
  columns: number,
  { scale, gap, captions }: Required<StripOptions>,
): void {
  if (columns === 0) throw new DlgError('invalid-data', 'strip: there must be at least one image')
  if (!isLength(scale))
    throw new DlgError('invalid-data', `strip: scale ${show(scale)} must be a positive whole number`)
  if (gap !== 0 && !isLength(gap)) {
    throw new DlgError('invalid-data', `strip: gap ${show(gap)} must be a whole number from 0`)
  }
  if (!Array.isArray(captions) || !captions.every((caption) => typeof caption === 'string'))
    throw new DlgError('invalid-data', `strip: captions is ${show(captions)}; it must be a list of strings`)
  if (captions.length > columns) {
    throw new DlgError(
      'invalid-data',
      `strip: ${captions.length} captions; there must be at most one for each of ${columns}`,
    )
  }
  rows.forEach((row, r) => {
    row.forEach((image, i) => {
      checkImage(image, `strip: image ${i} of row ${r}`)
    })
  })
}

function textWidth(text: string): number {
  const length = [...text].length
  return length === 0 ? 0 : length * ADVANCE - (ADVANCE - GLYPH_WIDTH)
}

/** Distance of stripes, in pixels of the result; a third of it is stripe. */
const HATCH = 6
/** Magenta: hardly a colour of photographs. */
const STRIPE = [0.9, 0, 0.6]

function drawImage(canvas: Image, image: Image, left: number, top: number, scale: number): void {
  for (let y = 0; y < image.height * scale; y++) {
    for (let x = 0; x < image.width * scale; x++) {
      const from = (Math.floor(y / scale) * image.width + Math.floor(x / scale)) * 3
      const to = ((top + y) * canvas.width + left + x) * 3
      canvas.data.set(image.data.subarray(from, from + 3), to)
      if (image.hatched?.[from / 3] && (x + y) % HATCH < HATCH / 3) canvas.data.set(STRIPE, to)
    }
  }
}

function drawText(canvas: Image, text: string, left: number, top: number, dot: number): void {
  ;[...text].forEach((character, i) => {
    for (let row = 0; row < GLYPH_HEIGHT * dot; row++) {
      for (let column = 0; column < GLYPH_WIDTH * dot; column++) {
        if (!hasInk(character, Math.floor(column / dot), Math.floor(row / dot))) continue
        const to = ((top + row) * canvas.width + left + i * ADVANCE * dot + column) * 3
        canvas.data.fill(0, to, to + 3)
      }
    }
  })
}
