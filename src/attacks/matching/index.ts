import { TARGET, type TargetOptions } from '../../client/target-options'
import { TRAINING } from '../../client/training-options'
import { DlgError } from '../../errors/dlg-error'
import { RESIDUAL } from '../../measure/residual'
import { type Attack, type Control, type OutcomeStatus, outcome } from '../contract/attack'
import { nothingIfCut } from '../contract/pause'
import { traceOf } from '../contract/trace'
import { type Leakage, leakage } from './leakage'
import { type LeakageOptions, leakageOptions } from './options'
import { ABORTED } from './preparing'
import { undeterminedWords } from './undetermined-words'

/** Options of gradient matching beside what the target says already, and what the control owns. */
export type MatchingOptions = Omit<LeakageOptions, keyof TargetOptions | keyof Control | 'onIteration'>

/** Options of the search that the control owns. */
const CONTROLLED = ['seed', 'budget', 'signal', 'onIteration']

const NAME = 'gradient-matching'

/** A search for data whose gradient is the shared one. `deepLeakageFromGradients` is its own door, with more to say. */
export const gradientMatching: Attack<MatchingOptions> = {
  name: NAME,
  source: 'Zhu, Liu, Han 2019, Deep Leakage from Gradients',
  leaks: 'data',
  needs: {
    sees: 'one gradient, or one update of federated averaging',
    batch: 'any size; quality falls as it grows',
    model: 'any that is traced; it works best where activations are smooth and weights fresh',
    labels: 'none: they are inferred or searched',
    threatModel: 'B',
  },
  check(options) {
    const others: readonly string[] = [...Object.keys(TRAINING), ...Object.keys(TARGET), ...CONTROLLED]
    const other = Object.keys(options).find((name) => others.includes(name))
    if (other !== undefined)
      throw new DlgError('invalid-option', `'${other}' is no option of the attack: the target or the control says it`)
    leakageOptions(options)
  },
  async refuses({ searched }) {
    return searched.length === 0 ? 'every input is known: there is nothing to search' : undefined
  },
  async run(target, options, control) {
    const started = performance.now()
    const { seed, budget, signal, onProgress } = control
    const { scale } = target.settings
    const settings = leakageOptions({ ...options, seed, budget, signal, scale })
    const searching: LeakageOptions['onIteration'] = ({ stage, restart, iteration, limits, ...event }) => {
      const { relativeLoss, evaluations, best, data } = event
      onProgress?.({
        attack: NAME,
        part: (restart + Math.min(1, iteration / limits.iterations)) / limits.restarts,
        words:
          stage === 'certainty'
            ? 'a match: how far is it determined?'
            : `restart ${restart}, iteration ${iteration}, relative loss ${relativeLoss.toExponential(1)}`,
        ...{ evaluations, relativeLoss: best, data },
      })
    }
    const leak = await leakage(
      target,
      { ...settings, ...target.settings, onIteration: onProgress && searching },
      onProgress && ((words) => onProgress({ attack: NAME, part: 0, words: `preparing: ${words}` })),
    ).catch(nothingIfCut)
    if (!leak) return outcome(NAME, started, control, { status: 'cut', reason: ABORTED })
    const { data, inputs, labels, evaluations, milliseconds, runtime, history, trials, restart, relativeLoss } = leak
    // of a match, half one class and half another is no class, and what could be another one is not named
    const isMatch = leak.status === 'converged' || leak.status === 'undetermined'
    const unclear = isMatch && !(await areClasses(leak))
    const open = isMatch && (leak.certainty?.undetermined.labels.length ?? 0) > 0
    const start = trials.find((trial) => trial.restart === restart)
    const trace = traceOf(history, { evaluations: start?.evaluations ?? evaluations, relativeLoss })
    const ended = outcome(NAME, started, control, {
      status: isProven(leak) ? 'proven' : STATUS[leak.status],
      reason: `${reasonOf(leak)}${unclear ? '; its targets are no single classes' : ''}`,
      found: { data, inputs, ...(!unclear && !open && { labels }) },
      evidence: leak.residual === undefined ? {} : { residual: leak.residual },
      work: { evaluations, milliseconds, runtime, trace },
    })
    return { ...ended, dispose: () => leak.dispose() }
  },
}

/** How near to one class targets are that are named by it. */
const NAMED = 0.25

/** Whether the target of every sample, or position, of the first output is a class: 1 for one, and 0 for all others, nearly. */
async function areClasses({ labels, labelProbabilities }: Leakage): Promise<boolean> {
  const values = await labelProbabilities.data()
  const width = values.length / labels.length
  const isNear = (v: number, bit: number) => Math.abs(v - bit) <= NAMED
  return labels.every((label, i) =>
    width === 1
      ? isNear(values[i], label)
      : Array.from({ length: width }, (_, c) => isNear(values[i * width + c], c === label ? 1 : 0)).every(Boolean),
  )
}

const STATUS: Readonly<Record<Leakage['status'], OutcomeStatus>> = {
  converged: 'matched',
  undetermined: 'undetermined',
  'max-iterations': 'failed',
  stalled: 'failed',
  diverged: 'failed',
  aborted: 'cut',
  budget: 'cut',
}

/** Data are proven to a hundredth of their range. */
const PROVEN = 0.01

/** How far the data of a match may be off in the direction that is determined least, in ranges: what is left of the difference moves them as far. */
const offBy = ({ certainty, residual = Number.NaN }: Leakage): number => residual / Math.sqrt(certainty?.weakest ?? 0)

/**
 * A match that is determined in every direction, and closely, as far as float32 gradients of the same data differ. Where a function may
 * turn back before the first trained weights, another start shows other data, and none shows that there are none.
 */
const isProven = (leak: Leakage): boolean =>
  leak.status === 'converged' &&
  leak.certainty?.determined === true &&
  leak.certainty.anotherStart === 'none made' &&
  leak.certainty.examined === 'every direction' &&
  (leak.residual ?? 1) <= RESIDUAL &&
  offBy(leak) <= PROVEN

/** A residual above which two gradients are not the same, whatever a distance of the caller's says. */
const APART = 0.05

function reasonOf(leak: Leakage): string {
  const { status, relativeLoss, residual = 0, scaleHint } = leak
  const loss = `relative loss ${relativeLoss.toExponential(1)}`
  const same =
    residual > APART
      ? `these data have the shared gradient as far as the distance tells (${loss}), and ‖g − g*‖ is ${residual.toPrecision(2)} of ‖g*‖`
      : `these data have the shared gradient (${loss})`
  if (status === 'converged') {
    const off = offBy(leak)
    const doubt =
      off > PROVEN && Number.isFinite(off)
        ? `; in one direction they may be off by ${(100 * off).toPrecision(2)} % of their range`
        : ''
    const turned =
      leak.certainty && leak.certainty.anotherStart !== 'none made'
        ? '; a function may turn back before the first trained weights, so that other data could have it too'
        : ''
    return `${same}${doubt}${turned}`
  }
  if (status === 'undetermined') return `${same}; ${undeterminedWords(leak) ?? scaleHint ?? 'not determined'}`
  return `the search ended ${status} at ${loss}${scaleHint ? `; ${scaleHint}` : ''}`
}
