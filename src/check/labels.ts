import { donePaced, type Pause } from '../attacks/contract/pause'
import { infer } from '../attacks/labels/infer'
import { decideLabels } from '../attacks/labels/infer-labels'
import type { TrainedOutput } from '../client/model/loss'
import type { Model } from '../client/model/model'
import type { Data } from '../client/read-data'
import { openTarget, type Target } from '../client/target'
import { targetOptions } from '../client/target-options'
import type { TracedExample } from '../client/trace-example'
import type { TrainingOptions } from '../client/training-options'
import { DlgError } from '../errors/dlg-error'
import { roundedPart } from '../numbers/rounded-part'
import type { Values } from '../runtime/runtime'
import type { Finding } from './report'
import { wholeInputs } from './search'

/**
 * Whether the labels of the example are inferred from its own gradient, output by output: the rules of the attack decide, and no
 * second opinion of what they can do.
 */
export async function checkLabels(
  model: Model,
  x: Data,
  example: TracedExample,
  gradients: readonly Values[],
  options: TrainingOptions,
  pause: Pause,
): Promise<Finding[]> {
  const { traced, batchSize } = example
  const shared = traced.trained.map(({ shape }, i) => ({ shape, data: gradients[i] }))
  let target: Target | undefined
  try {
    target = await openTarget(model, shared, targetOptions({ ...options, batchSize, known: wholeInputs(x, example) }))
  } catch (error) {
    if (!(error instanceof DlgError)) throw error
  }
  const findings: Finding[] = []
  for (const [i, output] of traced.outputs.entries())
    findings.push(
      target ? await inferred(target, output, example, i, pause) : notInferred(output, 'its gradient is zero'),
    )
  return findings
}

const notInferred = ({ name }: TrainedOutput, why: string): Finding => ({
  ...{ level: 'note', code: 'labels' },
  message: `labels of '${name}' are searched with the data: ${why}`,
})

async function inferred(
  target: Target,
  output: TrainedOutput,
  { traced, values, data }: TracedExample,
  at: number,
  pause: Pause,
): Promise<Finding> {
  const { name, node, criterion } = output
  if (criterion.name !== 'crossEntropy' || node.shape.length !== 2)
    return {
      ...{ level: 'note', code: 'labels' },
      message: `targets of '${name}' are searched with the data: only classes of a cross-entropy can be inferred`,
    }
  try {
    const decision = await donePaced(decideLabels(infer(), output, target, traced.outputs), pause)
    if (decision.kind !== 'known' || !decision.inferred) return notInferred(output, 'no rule gives them')
    const { rule, confidence } = decision.inferred
    const says = `labels of '${name}' can be inferred before the search (labels: 'infer'): rule ${rule}, confidence ${roundedPart(confidence, 2).toFixed(2)} on this example`
    const own = classesOf(values[data.length + at], node.shape[1])
    const right = own === undefined || own.join() === decision.labels.join()
    return {
      ...{ code: 'labels', attack: 'label-inference' },
      level: !right ? 'warning' : rule === 'LLG' || confidence < SURE ? 'note' : 'ok',
      message: !right
        ? `${says}; but they are wrong here (${decision.labels.join(', ')} for ${own.join(', ')})`
        : rule === 'LLG'
          ? `${says}, as its last layer's features are not negative: it has no bias`
          : says,
    }
  } catch (error) {
    if (error instanceof DlgError && error.code === 'labels')
      return notInferred(output, error.message.replace(/^labels: 'infer' cannot apply: /, ''))
    throw error
  }
}

/** Confidence below which a rule's answer is worth a doubt. */
const SURE = 0.5

/** The classes of one-hot rows in the order of the classes; undefined for soft ones. */
function classesOf(rows: Values, classes: number): number[] | undefined {
  const found: number[] = []
  for (let i = 0; i < rows.length; i += classes) {
    const row = Array.from(rows.subarray(i, i + classes))
    if (row.filter((v) => v === 1).length !== 1 || row.some((v) => v !== 0 && v !== 1)) return undefined
    found.push(row.indexOf(1))
  }
  return found.sort((a, b) => a - b)
}
