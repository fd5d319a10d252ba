import { type Control, type Outcome, outcome } from './attack'
import { CUT } from './pause'

/** Does the work of an attack that has nothing to show before its end: where it is cut short, it ends as `cut` with nothing found. */
export async function wholeOrCut(
  attack: string,
  started: number,
  control: Control,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await work()
  } catch (error) {
    if (error !== CUT) throw error
    return outcome(attack, started, control, { status: 'cut', reason: `${endOf(control)} before anything was found` })
  }
}

/** What ended the work, in words. */
export const endOf = ({ signal, budget }: Control): string =>
  signal?.aborted || budget?.milliseconds === undefined
    ? 'the caller aborted'
    : `the budget of ${budget.milliseconds} ms ended`
