import { Tensor } from '@tensorflow/tfjs-core'
import type { Target } from '../../client/target'
import {
  choice,
  hasMethod,
  idList,
  knownNames,
  number,
  numberList,
  requireListener,
  requireObject,
  requireSignal,
  show,
} from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { Attack, Control, Found, Outcome, OutcomeStatus } from './attack'
import { THREAT_MODELS, type ThreatModel } from './threat-model'

/** @throws DlgError `invalid-data` for what `targetOf` did not give */
export function requireTarget(target: Target): void {
  requireObject('the target', target, RIGHT_TARGET)
  const { model, settings, gradients, dataGradients, trained, known, weights, kinds, sampleLabels } = target
  const lists = [model?.inputs, model?.weights, gradients, dataGradients, trained, known]
  if (
    !lists.every(Array.isArray) ||
    !hasMethod(weights, 'get') ||
    !hasMethod(kinds?.types, 'get') ||
    (sampleLabels !== undefined && !Array.isArray(sampleLabels)) ||
    gradients.length !== trained.length ||
    dataGradients.length !== trained.length ||
    !trained.every((weight) => typeof weight?.name === 'string') ||
    typeof settings !== 'object' ||
    settings === null ||
    !Number.isInteger(settings.batchSize)
  )
    throw new DlgError('invalid-data', `the target is not whole; it must be ${RIGHT_TARGET}`)
}

const RIGHT_TARGET = 'what targetOf gave; await it first'

/** @throws DlgError `invalid-option` */
export function requireControl(control: Control): void {
  knownNames('control', control, ['seed', 'budget', 'signal', 'onProgress'])
  const { seed, budget, signal, onProgress } = control
  if (seed !== undefined) number('seed', seed, Number.isSafeInteger, 'a whole number')
  if (budget !== undefined) {
    knownNames('budget', budget, ['evaluations', 'milliseconds'])
    for (const [name, most] of Object.entries(budget))
      if (most !== undefined) number(`budget.${name}`, most, (v) => v > 0, 'a number above 0')
  }
  requireSignal('signal', signal)
  requireListener('onProgress', onProgress)
}

export const STATUSES: readonly OutcomeStatus[] = [
  ...(['proven', 'matched', 'undetermined', 'partial', 'failed', 'refused', 'cut'] as const),
]

/** What an attack of the caller's own must have. @throws DlgError `invalid-option` */
export function requireAttack<Options extends object>(attack: Attack<Options>): void {
  const invalid = (what: string) => new DlgError('invalid-option', what)
  if (!hasMethod(attack, 'refuses', 'run'))
    throw invalid(`the attack is ${show(attack)}; it must be an object with refuses() and run()`)
  const { name, needs, check } = attack
  if (typeof name !== 'string' || name.trim() === '')
    throw invalid(`the name of the attack is ${show(name)}; it must be a word such as 'sign-of-sum'`)
  if (check !== undefined && typeof check !== 'function')
    throw invalid(`check of the attack is ${show(check)}; it must be a function`)
  const right = 'what the attacker must know, in words: {sees, batch, model, labels}'
  requireObject(`needs of attack '${name}'`, needs, right, 'invalid-option')
  for (const part of ['sees', 'batch', 'model', 'labels'] as const)
    if (typeof needs[part] !== 'string')
      throw invalid(`needs.${part} of attack '${name}' is ${show(needs[part])}; it must be words`)
  const { threatModel } = needs
  if (threatModel !== undefined)
    choice(`needs.threatModel of attack '${name}'`, threatModel, Object.keys(THREAT_MODELS) as ThreatModel[])
}

/** @throws DlgError `invalid-option` for what `run` of the caller's own gave and `outcome` does not give */
export function requireOutcome(attack: string, ended: Outcome): void {
  const isWhole =
    hasMethod(ended, 'dispose') &&
    [ended.found, ended.evidence, ended.work].every((part) => typeof part === 'object' && part !== null)
  if (!isWhole)
    throw new DlgError(
      'invalid-option',
      `run() of attack '${attack}' gave ${show(ended)}; it must give what outcome() of dlg-ts/attacks gives`,
    )
  const { status, reason, found, work } = ended
  choice(`the status of attack '${attack}'`, status, STATUSES)
  if (typeof reason !== 'string' || typeof work.evaluations !== 'number')
    throw new DlgError(
      'invalid-option',
      `attack '${attack}' ended with reason ${show(reason)} after ${show(work.evaluations)} evaluations; it must give words and a number`,
    )
  requireFound(attack, found)
}

/** @throws DlgError `invalid-option` for findings of another form, or tensors that are freed */
export function requireFound(attack: string, found: Found): void {
  const wrong = (name: string, value: unknown, right: string) =>
    new DlgError('invalid-option', `attack '${attack}' found ${name} ${show(value)}; it must be ${right}`)
  requireObject('found', found, 'an object with any of data, inputs, labels, tokens, sequences', 'invalid-option')
  const { data, inputs = {}, labels, tokens, sequences } = found
  const isTensor = (value: unknown): boolean => value instanceof Tensor && !value.isDisposed
  if (data !== undefined && !isTensor(data)) throw wrong('data', data, 'a tensor that is not disposed')
  requireObject('found.inputs', inputs, 'tensors by input name', 'invalid-option')
  for (const [name, input] of Object.entries(inputs))
    if (!isTensor(input)) throw wrong(`input '${name}'`, input, 'a tensor that is not disposed')
  if (labels !== undefined) numberList(`the labels that attack '${attack}' found`, labels, 'invalid-option')
  if (tokens !== undefined) idList(`the tokens that attack '${attack}' found`, tokens, 'invalid-option')
  if (sequences === undefined) return
  if (!Array.isArray(sequences)) throw wrong('sequences', sequences, 'a list of lists of token ids')
  for (const sequence of sequences) idList(`a sequence that attack '${attack}' found`, sequence, 'invalid-option')
}
