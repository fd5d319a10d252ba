import { DlgError } from '../../errors/dlg-error'

/** The flags of `dlg attack` about files of gradients, with the keys of an update in an audit file that stand for them. */
const KEYS: readonly (readonly [flag: RegExp, key: string])[] = [
  [/--layout (pytorch|tfjs)\b/g, '"layout": "$1"'],
  [/--ignore '([^']*)'/g, '"ignore": ["$1"]'],
  [/--map(?: FILE)?(?![\w-])/g, '"map"'],
  [/--partial(?![\w-])/g, '"partial": true'],
  [/--by-order(?![\w-])/g, '"byOrder": true'],
]

/** An error about files of gradients in the words of an audit file: `--partial` is `"partial": true`. Other errors stay as they are. */
export function inKeys(error: unknown): unknown {
  if (!(error instanceof DlgError)) return error
  const message = KEYS.reduce((text, [flag, key]) => text.replace(flag, key), error.message)
  return message === error.message ? error : new DlgError(error.code, message, { cause: error })
}
