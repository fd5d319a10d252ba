import { newProgress, type Progress } from '../../../../src/attacks/matching/search/progress'
import {
  type Listener,
  type Objective,
  type RestartOutcome,
  type SearchSettings,
  search,
} from '../../../../src/attacks/matching/search/search'
import type { Evaluation, Optimizer, OptimizerState } from '../../../../src/optim'

/** What an objective says at a point; without a loss of its own the loss is the relative loss. */
export interface Said {
  readonly relativeLoss: number
  readonly loss?: number
  readonly gradient?: readonly number[]
}

/** An objective written as a function of the point, the easing, and how many evaluations came before. */
export const objective = (
  say: (point: Float64Array, easing: number, evaluation: number) => Said,
  rest: Partial<Objective> = {},
): Objective => {
  let evaluations = 0
  return {
    hasPriors: false,
    rounding: 0,
    products: undefined,
    data: 1,
    samples: undefined,
    ...rest,
    async evaluate(point, easing = 1) {
      const { relativeLoss, loss = relativeLoss, gradient } = say(point, easing, evaluations++)
      return { value: loss, relativeLoss, gradient: Float64Array.from(gradient ?? Array.from(point, () => 1)) }
    },
  }
}

/** An optimizer that moves every coordinate by 1, in iterations of several evaluations; it says nothing more unless asked. */
export const walk = (
  rest: Partial<Optimizer> & { stopsAt?: number; evaluationsEach?: number } = {},
): Optimizer<OptimizerState> => {
  const { stopsAt = Number.POSITIVE_INFINITY, evaluationsEach = 1, ...own } = rest
  return {
    name: 'walk',
    init: (point) => ({ point: point.slice(), iteration: 0, evaluations: 0 }),
    step(state: OptimizerState, _: Evaluation): OptimizerState {
      const evaluations = state.evaluations + 1
      const iteration = Math.floor(evaluations / evaluationsEach)
      const stopped = iteration >= stopsAt ? 'step' : undefined
      return { point: state.point.map((v) => v + 1), iteration, evaluations, stopped }
    },
    ...own,
  }
}

const settings: SearchSettings = {
  optimizer: walk(),
  preset: 'robust',
  iterations: 100,
  patience: undefined,
  tolerance: 1e-12,
  priorEasing: 0.1,
  budget: { evaluations: Number.POSITIVE_INFINITY, milliseconds: Number.POSITIVE_INFINITY },
}

/** A search from the origin of a line, or from the given start. */
export function searchWith(
  minimised: Objective,
  options: Partial<SearchSettings> = {},
  more: { progress?: Progress; listener?: Listener; restart?: number; start?: Float64Array } = {},
): Promise<RestartOutcome> {
  const { progress = newProgress(4), listener, restart = 0, start = Float64Array.of(0) } = more
  return search(minimised, { ...settings, ...options }, progress, restart, start, listener)
}
