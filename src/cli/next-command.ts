import type { AttackName } from '../attacks'
import { wordsOf } from './flags'
import { type Checked, CLIENT } from './training'

/**
 * The command that runs an attack on a model that was checked, in lines that a shell takes as one.
 *
 * @param given how the client trains, as the check was told
 * @returns undefined where the command line does not have the attack
 */
export function nextCommand(attack: AttackName, model: string, given: Checked): string[] | undefined {
  // a transformer cannot be given on the command line
  if (attack === 'dager') return undefined
  const told = attack === 'gradient-matching' ? [] : [`--attack ${attack}`]
  const words = [`--model ${quoted(model)}`, '--gradients FILE', ...wordsOf(CLIENT, given), ...told]
  return words.reduce(
    (lines, word) => {
      const last = lines[lines.length - 1]
      if (last.length + word.length < WIDTH) return [...lines.slice(0, -1), `${last} ${word}`]
      return [...lines.slice(0, -1), `${last} \\`, `  ${word}`]
    },
    ['dlg attack'],
  )
}

/** Length of a line: with a backslash and an indent of 11 it fits into 100. */
const WIDTH = 86

/** A path as a shell takes it. */
const quoted = (path: string): string => (/^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)
