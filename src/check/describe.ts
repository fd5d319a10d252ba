import { requireObject } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { Finding, ModelCheck } from './report'

const WIDTH = 100

/** Whether everything that is put into words is there. */
function isWhole({ model, batchSize, parameters, unknowns, graph, time, findings }: ModelCheck): boolean {
  const numbers = [batchSize, unknowns, parameters?.count, parameters?.trained]
  if (graph !== undefined) numbers.push(graph?.gradient, graph?.objective ?? 0)
  if (time !== undefined) numbers.push(time?.evaluation, time?.attack, time?.compile)
  const lists = [parameters?.weights, findings] as readonly unknown[]
  return (
    typeof model === 'string' &&
    numbers.every((value) => typeof value === 'number') &&
    lists.every((list) => Array.isArray(list) && list.every((item) => typeof item === 'object' && item !== null)) &&
    findings.every(({ level, message }) => typeof level === 'string' && typeof message === 'string') &&
    (time === undefined || typeof time.runtime === 'string')
  )
}

const RIGHT = 'what checkModel gave; await it first'

/**
 * The findings of a check as text for a terminal, in lines of at most 100 characters.
 *
 * @throws DlgError `invalid-data` for what `checkModel` did not give
 */
export function describeCheck(check: ModelCheck): string {
  requireObject('the check', check, RIGHT)
  if (!isWhole(check)) throw new DlgError('invalid-data', `the check is not whole; it must be ${RIGHT}`)
  const { model, batchSize, parameters, unknowns, graph, time, findings } = check
  const frozen = parameters.count - parameters.trained
  const facts: [string, string][] = [
    [
      'weights',
      `${n(parameters.trained)} numbers trained in ${parameters.weights.filter((w) => w.trainable).length} tensors${frozen ? `, ${n(frozen)} not` : ''}`,
    ],
    ['unknowns', `${n(unknowns)} with a batch of ${batchSize}`],
  ]
  if (graph)
    facts.push([
      'graph',
      `${n(graph.gradient)} nodes of the gradient${graph.objective ? `, ${n(graph.objective)} of the search` : ''}`,
    ])
  if (time)
    facts.push([
      'time',
      `${duration(time.evaluation)} an evaluation on ${time.runtime}; an attack of 2,000 takes some ${duration(time.attack)}, and ${duration(time.compile)} to prepare`,
    ])
  return [
    `model '${model}'`,
    ...facts.map(([name, text]) => row(name, text)),
    '',
    ...findings.map(describeFinding),
  ].join('\n')
}

/** One finding, in lines as above. */
export const describeFinding = ({ level, message }: Finding): string => row(level, message)

const n = (value: number): string => value.toLocaleString('en')

const duration = (milliseconds: number): string => {
  if (milliseconds < 1000) return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.ceil(seconds / 60)} min`
}

const LEFT = 11

/** A word, and beside it text that wraps. */
function row(name: string, text: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.length - 1
    if (lines[last] && LEFT + lines[last].length + 1 + word.length > WIDTH) lines.push(word)
    else lines[last] += lines[last] ? ` ${word}` : word
  }
  return `  ${name.padEnd(LEFT - 2)}${lines.join(`\n${' '.repeat(LEFT)}`)}`
}
