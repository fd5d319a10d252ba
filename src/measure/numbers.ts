import { show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/** A list of numbers that a caller gave. @throws DlgError `invalid-data` */
export function checkNumbers(name: string, values: ArrayLike<number>): void {
  const listed = Array.isArray(values) || (ArrayBuffer.isView(values) && !(values instanceof DataView))
  if (!listed) throw new DlgError('invalid-data', `${name} is ${show(values)}; it must be an array of numbers`)
  // the numbers of a typed array are numbers
  const wrong = Array.isArray(values) ? values.findIndex((v) => typeof v !== 'number') : -1
  if (wrong >= 0)
    throw new DlgError('invalid-data', `${name} has ${show(values[wrong])} at position ${wrong}; it must be a number`)
}

/** Two lists that a metric compares, number by number. @throws DlgError `invalid-data` */
export function checkLengths(name: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  checkNumbers(`${name}: the first list`, a)
  checkNumbers(`${name}: the second list`, b)
  if (a.length === b.length && a.length > 0) return
  throw new DlgError('invalid-data', `${name}: lengths ${a.length} and ${b.length} must be equal and above 0`)
}
