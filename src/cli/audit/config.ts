import { existsSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { type AcceptedFinding, type AuditOptions, FAIL_ON, type FailOn, type Thresholds } from '../../audit'
import { isDay } from '../../audit/accepted'
import { AUDIT_OPTIONS, type AuditSettings, auditSettings } from '../../audit/options'
import { checkedThresholds } from '../../audit/verdict'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { choice, knownNames, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { isRecord } from '../../io/bytes/untrusted'
import { readBytes } from '../../io/files/read-bytes'
import { parseJson } from '../../io/tensors/json-tensors'
import { type GradientFiles, requireLayout } from '../gradient-files'
import { type FileModel, naming, readModel } from '../read-files'
import { sharedGradient } from '../shared-gradient'
import { visible } from '../terminal'
import { dataOf, preprocessingOf, wrong } from './data'
import { defencesOf } from './defences'
import { inKeys } from './in-keys'

/** What an audit file says. */
export interface AuditConfig {
  readonly options: AuditOptions
  readonly thresholds: Partial<Thresholds>
  readonly failOn: FailOn
  readonly accept: readonly AcceptedFinding[]
  dispose(): void
}

const JUDGING = ['thresholds', 'failOn', 'accept']

/**
 * Reads an audit file: JSON, or a module whose default export is the options of `audit` beside `thresholds`, `failOn` and `accept`.
 * Paths in JSON are relative to the file.
 *
 * @throws DlgError `invalid-file`, `invalid-option`
 */
export async function readAuditFile(path: string): Promise<AuditConfig> {
  if (!existsSync(path)) throw wrong(path, 'there is no such file')
  try {
    return extname(path) === '.json' ? await fromJson(path) : await fromModule(path)
  } catch (error) {
    throw naming(path, error)
  }
}

/** The options of an audit file, decided and checked. @throws DlgError with the path of the file in front */
export function settingsOf(path: string, options: AuditOptions): AuditSettings {
  try {
    return auditSettings(options)
  } catch (error) {
    throw naming(path, error)
  }
}

async function fromJson(path: string): Promise<AuditConfig> {
  const json = parseJson(readBytes(path), path)
  if (!isRecord(json)) throw wrong(path, 'is no JSON object')
  knownNames(path, json, ['$schema', ...AUDIT_OPTIONS, ...JUDGING])
  if (typeof json.model !== 'string')
    throw wrong(path, `model is ${show(json.model)}; it must be the path of a model.json or an .onnx file`)
  const folder = dirname(resolve(path))
  const at = (name: string) => resolve(folder, name)
  const judging = judgingOf(path, json)
  // the names in a gradient tell which numbers of an ONNX file are weights
  const [first] = isRecord(json.updates) ? Object.entries(json.updates) : []
  const model = await readModel(at(json.model), first && { shared: filesOf(path, ...first, at) }).catch((error) => {
    throw inKeys(error)
  })
  try {
    const { defences, data, updates } = json
    if (defences !== undefined && !Array.isArray(defences))
      throw wrong(path, `defences is ${show(defences)}; it must be a list`)
    const { $schema: _, model: __, data: ___, updates: ____, defences: _____, ...plain } = json
    for (const name of JUDGING) delete plain[name]
    const read = data === undefined ? {} : { data: dataOf(path, data, model, preprocessingOf(json), at) }
    const shared = updates === undefined ? {} : { updates: updatesOf(path, updates, model, at) }
    const options = {
      ...plain,
      ...read,
      ...shared,
      model,
      ...(defences && { defences: defencesOf(defences) }),
    } as AuditOptions
    return {
      ...judging,
      options,
      dispose() {
        model.dispose()
        tf.dispose(read.data?.x)
      },
    }
  } catch (error) {
    model.dispose()
    throw error
  }
}

/** What an audit file says of judging, without its model and data. @throws DlgError `invalid-file`, `invalid-option` */
export async function readJudging(path: string): Promise<Pick<AuditConfig, 'thresholds' | 'failOn' | 'accept'>> {
  if (extname(path) !== '.json') return readAuditFile(path)
  const json = parseJson(readBytes(path), path)
  if (!isRecord(json)) throw wrong(path, 'is no JSON object')
  try {
    return judgingOf(path, json)
  } catch (error) {
    throw naming(path, error)
  }
}

async function fromModule(path: string): Promise<AuditConfig> {
  let module: { default?: unknown }
  try {
    module = await import(pathToFileURL(resolve(path)).href)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
      throw wrong(path, 'this Node reads no TypeScript; use Node 22.18 or later, or write JavaScript (.mjs)')
    throw new DlgError('invalid-file', `${path}: cannot be loaded: ${message}`, { cause })
  }
  const given = typeof module.default === 'function' ? await module.default() : module.default
  if (!isRecord(given)) throw wrong(path, 'its default export is no object; it must be the options of an audit')
  knownNames(path, given, [...AUDIT_OPTIONS, ...JUDGING])
  const options = Object.fromEntries(
    Object.entries(given).filter(([name]) => AUDIT_OPTIONS.includes(name as keyof AuditOptions)),
  )
  // what a module made is the module's
  return { ...judgingOf(path, given), options: options as unknown as AuditOptions, dispose() {} }
}

function judgingOf(
  path: string,
  given: Readonly<Record<string, unknown>>,
): Pick<AuditConfig, 'thresholds' | 'failOn' | 'accept'> {
  const { thresholds = {}, failOn = 'leaked', accept = [] } = given
  if (!isRecord(thresholds)) throw wrong(path, `thresholds is ${show(thresholds)}; it must be an object`)
  checkedThresholds(thresholds)
  choice('failOn', failOn, FAIL_ON)
  if (!Array.isArray(accept)) throw wrong(path, `accept is ${show(accept)}; it must be a list`)
  return {
    thresholds: thresholds as Partial<Thresholds>,
    failOn: failOn as FailOn,
    accept: accept.map((one, i) => accepted(path, one, `accept entry ${i + 1}`)),
  }
}

function accepted(path: string, given: unknown, entry: string): AcceptedFinding {
  const right = 'it must be an object with defence, attack, reason and until, such as 2027-01-31'
  if (!isRecord(given)) throw wrong(path, `${entry} is ${show(given)}; ${right}`)
  knownNames(entry, given, ['defence', 'attack', 'reason', 'until'])
  const { defence = '*', attack = '*', reason, until } = given
  for (const [name, words] of Object.entries({ defence, attack, reason })) {
    if (words === undefined) throw wrong(path, `${entry} has no ${name}; ${right}`)
    if (typeof words !== 'string' || words.trim() === '')
      throw wrong(path, `${entry} has ${name} ${show(words)}; it must be words`)
  }
  if (until === undefined) throw wrong(path, `${entry} has no until; ${right}`)
  if (!isDay(until)) throw wrong(path, `${entry} ends ${show(until)}; until must be a day such as 2027-01-31`)
  return { defence, attack, reason, until } as AcceptedFinding
}

const UPDATE_FIELDS = ['gradients', 'before', 'after', 'layout', 'map', 'partial', 'byOrder', 'ignore'] as const

/** What clients shared, out of files, as `dlg attack` reads them. */
function updatesOf(
  path: string,
  given: unknown,
  model: FileModel,
  at: (name: string) => string,
): Record<string, SharedGradients | SharedUpdate> {
  if (!isRecord(given)) throw wrong(path, `updates is ${show(given)}; it must be an object of files by name`)
  return Object.fromEntries(
    Object.entries(given).map(([name, update]) => {
      const files = filesOf(path, name, update, at)
      try {
        return [name, sharedGradient(model, files, (line) => process.stderr.write(`dlg: ${visible(line)}\n`))]
      } catch (error) {
        throw naming(`update '${name}'`, inKeys(error))
      }
    }),
  )
}

function filesOf(path: string, name: string, given: unknown, at: (name: string) => string): GradientFiles {
  const fields = typeof given === 'string' ? { gradients: given } : given
  if (!isRecord(fields))
    throw wrong(
      path,
      `update '${name}' is ${show(given)}; it must be a file of gradients, or an object with before and after`,
    )
  knownNames(`update '${name}'`, fields, UPDATE_FIELDS)
  const { gradients, before, after, layout = 'tfjs', map, partial = false, byOrder = false, ignore = [] } = fields
  const texts = [gradients, before, after, map].filter((text) => text !== undefined)
  const source =
    gradients !== undefined
      ? { gradients: at(String(gradients)) }
      : { before: at(String(before)), after: at(String(after)) }
  if (
    !texts.every((text) => typeof text === 'string') ||
    (gradients === undefined) === (before === undefined || after === undefined)
  )
    throw wrong(path, `update '${name}' must have gradients, or before and after, each the path of a file`)
  for (const [flag, value] of Object.entries({ partial, byOrder }))
    if (typeof value !== 'boolean')
      throw wrong(path, `update '${name}' has ${flag} ${show(value)}; it must be true or false`)
  if (!Array.isArray(ignore) || !ignore.every((word) => typeof word === 'string'))
    throw wrong(path, `update '${name}' has ignore ${show(ignore)}; it must be a list of names`)
  const files: GradientFiles = {
    ...{ source, scale: 1, update: undefined, imported: undefined, weights: undefined },
    ...{ map: map === undefined ? undefined : at(map as string), ordered: byOrder === true, partial: partial === true },
    ignore,
    layout: 'tfjs',
  }
  try {
    const whole = { ...files, layout: choice('layout', layout, ['tfjs', 'pytorch']) }
    requireLayout(whole)
    return whole
  } catch (error) {
    throw naming(`update '${name}'`, inKeys(error))
  }
}
