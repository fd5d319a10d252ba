import type { IterationEvent } from '../attacks/matching/search/options'
import type { Terminal } from './terminal'

/** Between two redraws in a terminal, and between two lines in a file. */
const REDRAW_MS = 100
const LINE_STEPS = 25

type Limits = IterationEvent['limits']

/**
 * Shows an attack on stderr: one line that is rewritten in a terminal, now and then a line of its own elsewhere.
 *
 * @param limits default: those that the events tell
 */
export function progress({ stderr }: Terminal, limits?: Limits) {
  let drawn = Number.NEGATIVE_INFINITY
  let began = 0
  let written = ''
  return {
    show(e: IterationEvent): void {
      if (e.iteration === 0) began = e.milliseconds
      const line = describe(e, e.milliseconds - began, limits ?? e.limits)
      if (!stderr.isTTY) {
        // an iteration that takes long is told of several times
        const step = `${e.restart} ${e.iteration}`
        if (e.iteration % LINE_STEPS === 0 && step !== written) stderr.write(`${line}\n`)
        written = step
      } else if (performance.now() - drawn >= REDRAW_MS) {
        drawn = performance.now()
        stderr.write(`\r\x1b[K${line.slice(0, (stderr.columns ?? 80) - 1)}`)
      }
    },
    end(): void {
      if (stderr.isTTY) stderr.write('\r\x1b[K')
    },
  }
}

function describe(e: IterationEvent, milliseconds: number, limits: Limits): string {
  if (e.stage === 'certainty') return `matched at ${e.relativeLoss.toExponential(2)}: how far are the data determined?`
  const rate = Math.round((e.evaluations / e.milliseconds) * 1000)
  const left = e.iteration > 0 && ((limits.iterations - e.iteration) * milliseconds) / e.iteration / 1000
  return [
    `restart ${e.restart + 1}/${limits.restarts}`,
    `step ${e.iteration}/${limits.iterations}`,
    `objective ${e.relativeLoss.toExponential(2)}`,
    `best ${e.best.toExponential(2)}`,
    `${rate} evaluations/s`,
    ...(left === false ? [] : [`at most ${seconds(left)} left in this restart`]),
  ].join(' · ')
}

const seconds = (value: number): string => (value < 90 ? `${Math.ceil(value)} s` : `${Math.ceil(value / 60)} min`)
