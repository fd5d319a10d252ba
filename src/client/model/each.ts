import { requireObject } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError, type DlgErrorCode } from '../../errors/dlg-error'

/** One thing for each input or output of a model: a list in the model's order, or a map by name. */
export type Each<T> = readonly T[] | { readonly [name: string]: T }

/** Names of options stay as they are. */
const SINGULAR: { readonly [what: string]: string } = { targets: 'target', labels: 'label' }

/**
 * The things in the order of the names.
 *
 * @param what the things, in the plural, for error messages
 * @throws DlgError when one is missing, or one too many
 */
export function inOrder<T>(what: string, given: Each<T>, names: readonly string[], code: DlgErrorCode): T[] {
  const needed = names.join(', ')
  if (typeof given !== 'object' || given === null)
    throw new DlgError(code, `${what} must be a list or a map, one for each of ${needed}; got ${String(given)}`)
  if (Array.isArray(given)) {
    if (given.length === names.length) return given
    throw new DlgError(
      code,
      `${countOf(given.length, SINGULAR[what] ?? what, what)} in a list; one for each of ${needed} is needed`,
    )
  }
  requireObject(what, given, `a list or a map, one for each of ${needed}`, code)
  const map = given as { readonly [name: string]: T }
  requireNames(what, Object.keys(map), names, code)
  const missing = names.find((name) => !Object.hasOwn(map, name))
  if (missing !== undefined)
    throw new DlgError(code, `${what} have none for '${missing}'; one for each of ${needed} is needed`)
  return names.map((name) => map[name])
}

/** Each thing turned into another. */
export async function mapEach<T, U>(given: Each<T>, turn: (thing: T) => Promise<U>): Promise<Each<U>> {
  if (Array.isArray(given)) return Promise.all(given.map(turn))
  const entries = Object.entries(given).map(async ([name, thing]) => [name, await turn(thing)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/** @throws DlgError for a name that is not among those there are */
export function requireNames(
  what: string,
  given: readonly string[],
  names: readonly string[],
  code: DlgErrorCode,
): void {
  const stranger = given.find((name) => !names.includes(name))
  if (stranger !== undefined)
    throw new DlgError(code, `${what} have one for '${stranger}', which there is not; there are ${names.join(', ')}`)
}

/** Repeated names get a number, so that a map has an entry for each. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let count = 1; taken.has(unique); count++) unique = `${name}#${count}`
    taken.add(unique)
    return unique
  })
}
