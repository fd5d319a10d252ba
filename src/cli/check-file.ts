import * as tf from '@tensorflow/tfjs-core'
import { checkModel, describeCheck, describeFinding, type Finding } from '../check'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { EXIT } from './command'
import { type Batch, exampleBatch } from './example-batch'
import type { GradientFiles } from './gradient-files'
import { inFlags, nextCommand } from './in-flags'
import { hearInterruption } from './interrupted'
import { readModel } from './read-files'
import { type BACKENDS, useBackend } from './runtime'
import { describeSame, sameGradient } from './same-gradient'
import { paint, type Terminal, visible } from './terminal'
import type { Checked } from './training'

/** A check of a model out of a file. */
export interface FileCheck {
  readonly model: string
  /** A module that is run before the model is read. */
  readonly imported: string | undefined
  /** A file of weights in place of those that the model has. */
  readonly weights: string | undefined
  /** A JSON file that says which layers of PyTorch are which, for these weights too. */
  readonly map: string | undefined
  readonly data: string | undefined
  readonly labels: readonly number[] | undefined
  readonly given: Checked
  /** What a client shared on these data, if it is to be compared. */
  readonly files: GradientFiles | undefined
  readonly backend: (typeof BACKENDS)[number]
  readonly json: boolean
}

/** Checks a model on data of a file, or on random ones. @returns the exit code */
export async function checkFile(options: FileCheck, terminal: Terminal): Promise<number> {
  await useBackend(options.backend)
  await hearInterruption(terminal)
  const model = await readModel(options.model, { ...options, shared: options.files })
  let batch: Batch | undefined
  try {
    batch = exampleBatch(model, options)
    const { batchSize, dataRange, ...client } = options.given
    const samples = batch.x[0].shape[0]
    if (options.data !== undefined && batchSize !== undefined && batchSize !== samples)
      throw new DlgError(
        'invalid-option',
        `--batch-size is ${batchSize}, and --data has ${countOf(samples, 'sample')}; both must be the same`,
      )
    // what is suggested attacks as many samples as were checked
    const given = { ...options.given, ...(samples > 1 && { batchSize: samples }) }
    await hearInterruption(terminal)
    const check = await checkModel(model, { x: one(batch.x), y: one(batch.y) }, { ...client, signal: terminal.signal })
    await hearInterruption(terminal)
    const findings = check.findings.map((finding) => {
      const command = finding.attack && nextCommand(finding.attack, options.model, given, options)
      return { ...finding, message: inFlags(finding.message), ...(command && { command }) }
    })
    const lines = findings.flatMap(({ command = [], ...finding }) => [
      painted(visible(describeFinding(finding)), finding, terminal),
      ...command.map((line) => `${' '.repeat(11)}${line}`),
    ])
    const report = (line: string) => terminal.stderr.write(`dlg: ${visible(line)}\n`)
    const shared = options.files && (await sameGradient(model, options.files, batch, options.given, report))
    await hearInterruption(terminal)
    const told = shared
      ? ['', paint(terminal, 'stdout', shared.same ? 'green' : 'red', visible(describeSame(shared)))]
      : []
    const text = [visible(describeCheck({ ...check, findings: [] }).trimEnd()), '', ...lines, ...told].join('\n')
    const plain = { ...check, findings, ...(shared && { shared }) }
    terminal.stdout.write(options.json ? visible(`${JSON.stringify(plain, null, 2)}\n`) : `${text}\n`)
    const wrong = check.findings.some(({ level }) => level === 'error') || shared?.same === false
    return wrong ? EXIT.failed : EXIT.converged
  } finally {
    tf.dispose([...(batch?.x ?? []), ...(batch?.drawn ?? [])])
    model.dispose()
  }
}

/** Colours the level of a finding, which stands at the beginning. */
const painted = (line: string, { level }: Finding, terminal: Terminal): string =>
  level === 'note'
    ? line
    : line.replace(/^ {2}\w+ /, (word) => paint(terminal, 'stdout', level === 'ok' ? 'green' : 'red', word))

/** A model with one input, or one output, takes one thing, and no list of it. */
const one = <T>(things: readonly T[]): T | readonly T[] => (things.length === 1 ? things[0] : things)
