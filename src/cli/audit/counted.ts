import {
  type AcceptedFinding,
  exitCodeOf,
  type FailOn,
  type IdleReason,
  type JudgedTrial,
  type Judgement,
  VERDICTS,
  type withoutKnown,
} from '../../audit'
import { leaked } from '../../audit/verdict'
import { countOf } from '../../errors/counted'
import { grouped, placeOf } from '../../report/audit/known'
import { attackOf, WORDS } from '../../report/audit/words'

type Settled = ReturnType<typeof withoutKnown>

/** What made the exit code: a line that says so, and one for each verdict, defence and attack. Nothing for exit code 0. */
export function whatCounts(judgement: Judgement, { judgement: counted, left }: Settled, failOn: FailOn): string[] {
  const code = exitCodeOf(counted, failOn)
  const { defences, rows, missing } = judgement
  const named = (trials: readonly JudgedTrial[]): string[] =>
    grouped(worstFirst(trials), (trial) => [trial.description, attackOf(trial), WORDS[trial.verdict]]).map(
      (own) => `  ${WORDS[own[0].verdict]}: ${placeOf(own, defences)}`,
    )
  switch (code) {
    case 0:
      return []
    case 1: {
      const above = left.filter(({ verdict }) => failOn === 'partly' || leaked(verdict))
      return [`exit code 1: these leaks count (fail on ${failOn}):`, ...named(above)]
    }
    case 2: {
      const broken = rows.flatMap(({ trials }) => trials).filter(({ verdict }) => verdict === 'error')
      return ['exit code 2: an attack broke down:', ...named(broken)]
    }
    case 3: {
      const open = counted.defences.flatMap(({ description, clients }) => {
        const unknown = clients.filter(({ conclusive }) => !conclusive).length
        const all = defences.find((defence) => defence.description === description)!.clients.length
        return unknown === 0
          ? []
          : [`  ${description}: whether the data of ${unknown} of ${countOf(all, 'client')} leak is not known`]
      })
      return [
        'exit code 3: nothing can be concluded:',
        ...open,
        ...(missing > 0 ? [`  missing from the run: ${countOf(missing, 'trial')}`] : []),
      ]
    }
  }
}

/** What is wrong with an accepted finding that has no effect, and what would be right. */
export function idleWords({ defence, attack, until }: AcceptedFinding, why: IdleReason, { rows }: Judgement): string {
  const names = (words: readonly string[]) => [...new Set(words)].map((word) => `'${word}'`).join(', ')
  switch (why) {
    case 'expired':
      return `expired on ${until}, its last day: what it accepted counts again`
    case 'no-defence':
      return `matches nothing: the run has no defence '${defence}'; it has ${names(rows.map(({ description }) => description))}`
    case 'no-attack':
      return `matches nothing: the run has no attack '${attack}' under '${defence}'; it has ${names(rows.map((row) => row.attack))}`
    case 'no-leak':
      return `matches nothing: '${attack}' leaks nothing under '${defence}'`
  }
}

const worstFirst = (trials: readonly JudgedTrial[]): JudgedTrial[] =>
  [...trials].sort((a, b) => VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict))
