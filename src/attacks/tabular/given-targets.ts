import { traceGradient } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import { targetRows } from '../../client/target-values'
import * as g from '../../graph'
import { type LabelOption, labelsOption, readLabels } from '../matching/targets/label-choices'

/**
 * The targets that the attacker knows, one row for each record of the batch.
 *
 * @returns undefined where they are inferred or searched, or a strategy decides on them, or the model has several outputs
 * @throws DlgError `invalid-data` for targets that do not fit the output
 */
export async function givenTargets(
  { model, settings, kinds }: Target,
  labels: LabelOption,
): Promise<Float32Array | undefined> {
  if (labels === 'infer' || labels === 'joint') return undefined
  const choose = await readLabels(labelsOption(labels))
  const { outputs } = traceGradient(
    model,
    settings,
    (output, { name }) => g.input(output.graph, `target ${name}`, output.shape),
    kinds,
  )
  const given = outputs.map((output) => {
    const choice = choose(output, outputs)
    return 'decide' in choice ? undefined : targetRows(choice, output)
  })
  return given.length === 1 ? given[0] : undefined
}
