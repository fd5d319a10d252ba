import { numberList } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/** Two lists that a metric compares, number by number. @throws DlgError `invalid-data` */
export function checkLengths(name: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  numberList(`${name}: the first list`, a)
  numberList(`${name}: the second list`, b)
  if (a.length === b.length && a.length > 0) return
  throw new DlgError('invalid-data', `${name}: lengths ${a.length} and ${b.length} must be equal and above 0`)
}
