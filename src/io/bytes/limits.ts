import { DlgError } from '../../errors/dlg-error'
import type { Ignore } from './ignore'

/** How much memory a reader of files may use. */
export interface ReadLimits {
  /**
   * The most bytes that a file's parts may have once inflated, in all, and the most that its tensors may have as
   * float32. Default four times the file's size, which bounds what a hostile file can make the reader allocate.
   * Gradients that are mostly zero shrink further, down to a thousandth: raise it for those.
   */
  readonly maximumBytes?: number
}

/** What is read of a file of tensors, and how much it may take. */
export interface ReadOptions extends ReadLimits {
  /** Tensors that are left out: they are not unpacked, and nothing in them can refuse the file. */
  readonly ignore?: Ignore
}

/** The largest growth from an element in a file to float32, that of a byte. */
const DEFAULT_GROWTH = 4

/** @throws DlgError `invalid-option` */
export function maximumBytes(fileBytes: number, { maximumBytes }: ReadLimits): number {
  if (maximumBytes === undefined) return fileBytes * DEFAULT_GROWTH
  if (Number.isSafeInteger(maximumBytes) && maximumBytes > 0) return maximumBytes
  throw new DlgError('invalid-option', `maximumBytes is ${maximumBytes}, should be a positive whole number`)
}

/**
 * @param claim what the error message says of the bytes.
 * @throws DlgError `invalid-file`
 */
export function checkSize(bytes: number, maximum: number, claim: string): void {
  if (bytes <= maximum) return
  throw new DlgError(
    'invalid-file',
    `${claim} ${bytes} bytes, should be at most ${maximum}, by default four times the file's size; if you trust the file, pass maximumBytes: ${bytes}`,
  )
}
