import { DlgError } from '../../errors/dlg-error'
import { roundedPart } from '../../numbers/rounded-part'
import { type Attack, noOptions, outcome } from '../contract/attack'
import { wholeOrCut } from '../contract/cut'
import { CLOSED_FORM, pausesOf } from '../contract/pause'
import { labelsIn, readingOf } from './infer-labels'

/**
 * Confidence below which nothing is said to have leaked. Of noise alone a rule reads labels too, and no batch explains it: 660 of 660
 * had a confidence of 0. Of right labels 3 in 100 fall below this.
 */
const LEAST = 0.01

/** Reads labels in closed form; `inferLabels` is its own door. */
export const labelInference: Attack = {
  name: 'label-inference',
  source: 'Zhao, Mopuri, Bilen 2020, iDLG; Ma et al. 2023, iLRG; Wainakh et al. 2022, LLG',
  leaks: 'labels',
  needs: {
    sees: 'the gradient of the last dense layer',
    batch: 'any size that is known',
    model: 'ends in a dense layer under a cross-entropy of classes',
    labels: 'hard labels',
    threatModel: 'A',
  },
  check: noOptions,
  async refuses(target) {
    const read = await orRefusal(() => readingOf(target))
    return typeof read === 'string' ? read : undefined
  },
  async run(target, _, control) {
    const started = performance.now()
    const end = (said: Parameters<typeof outcome>[3]) => outcome('label-inference', started, control, said)
    return wholeOrCut('label-inference', started, control, async () => {
      control.onProgress?.({ attack: 'label-inference', words: "labels of the last layer's gradient" })
      const read = await orRefusal(() => labelsIn(target, pausesOf(control, started, CLOSED_FORM)))
      if (typeof read === 'string') return end({ status: 'refused', reason: read })
      const { labels, rule, confidence, others } = read
      const told = confidence >= LEAST
      return end({
        status: told ? 'partial' : 'failed',
        reason: `${
          told
            ? 'the labels stand in the gradient of the last layer'
            : 'no batch with the labels that the rule reads has the gradient of the last layer: noise, another loss, batch size or factor'
        } (rule ${rule}, confidence ${roundedPart(confidence, 2).toFixed(2)})${others ? `; at a factor of the other sign ${others.join(', ')} explain it too` : ''}`,
        found: { labels },
        evidence: { confidence },
      })
    })
  },
}

/** What work comes to, or why no rule applies. */
async function orRefusal<T extends object>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DlgError && error.code === 'labels') return error.message
    throw error
  }
}
