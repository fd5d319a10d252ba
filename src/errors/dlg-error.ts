/** The kind of an error, as a stable word that a program can test. */
export type DlgErrorCode =
  /** An option has an unknown name or a value outside its range. */
  | 'invalid-option'
  /** The shared gradients, or the weights of an update, do not fit the model: wrong number, name, shape, dtype, or not finite. */
  | 'invalid-gradients'
  /** The model cannot be attacked as it is: not built, disposed, no trainable weights, not finite. */
  | 'invalid-model'
  /** Sample data or labels do not fit the model, or a point or an evaluation does not fit the optimizer. */
  | 'invalid-data'
  /** The model uses an operation the tracer does not know or cannot record. */
  | 'untraceable'
  /** A node of a graph cannot be built of what it was given: shapes that do not fit, axes that are not there, nodes of two graphs. */
  | 'invalid-graph'
  /** The label strategy's assumptions do not hold for these gradients. */
  | 'labels'
  /** A runtime is missing, or cannot run the traced graph. */
  | 'runtime'
  /** A file is missing, unreadable, truncated or malformed. */
  | 'invalid-file'
  /** The caller's signal was aborted before there was anything to give back. */
  | 'aborted'
  /** The caller's budget was spent before any work started. */
  | 'budget'

/** Marks errors of every copy of the package: of the ES and the CommonJS build, and of two versions. */
const BRAND = Symbol.for('dlg-ts.DlgError')

/**
 * Every wrong input ends in one of these, before any work starts.
 *
 * The message says what was wrong and what would be right; `code` is for programs.
 */
export class DlgError extends Error {
  override readonly name = 'DlgError'
  readonly code: DlgErrorCode

  /**
   * An error of this library.
   *
   * @param code the kind of fault
   * @param message what was wrong and what would be right
   */
  constructor(code: DlgErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** Whether an error is one of these, whichever copy of the package threw it. As `instanceof`, for `catch (error: unknown)`. */
  static is(error: unknown): error is DlgError {
    return typeof error === 'object' && error !== null && (error as { [BRAND]?: unknown })[BRAND] === true
  }

  /** `instanceof` holds for errors of the other build too: a program may load the ES module and the CommonJS one. */
  static override [Symbol.hasInstance](error: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass has its own prototype, and no mark
    return this === DlgError ? DlgError.is(error) : Function.prototype[Symbol.hasInstance].call(this, error)
  }
}

Object.defineProperty(DlgError.prototype, BRAND, { value: true })
