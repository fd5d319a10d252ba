import { invalid, show as shown } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { type Optimizer, type OptimizerState, requireOptimizer, requirePoint, requireStep } from './optimizer'

/** Coordinates that move together: ranges [from, to) of the point. */
export type Group = readonly (readonly [from: number, to: number])[]

/** State of {@link oneByOne}, around the state `inner` of the group whose turn it is. */
export interface OneByOneState<S extends OptimizerState = OptimizerState> extends OptimizerState {
  readonly inner: S
  /** Whose turn it is. */
  readonly turn: number
  /** How each group's last turn ended, by group. */
  readonly ended: readonly (S | undefined)[]
}

/**
 * Moves one group of coordinates at a time, an iteration each, round and round: the samples of a batch, as Zhu, Liu and
 * Han (2019, section 3.3) update a single sample at each step because a batch has no order.
 *
 * An optimizer's memory is cleared when its group's turn comes again, since the others have moved; its counters and
 * schedule go on. It stops when every group in turn has. Its patience is that of the optimizer, in iterations of all groups.
 *
 * @throws DlgError `invalid-option` for what is no optimizer, and for groups that are not lists of ranges
 */
export function oneByOne<S extends OptimizerState>(
  optimizer: Optimizer<S>,
  groups: readonly Group[],
): Optimizer<OneByOneState<S>> {
  requireOptimizer('oneByOne', optimizer)
  requireGroups(groups)
  const end = Math.max(...groups.flat().map(([, to]) => to))
  const show = (inner: S, turn: number, whole: Float64Array): Pick<OptimizerState, 'point' | 'trial'> => ({
    point: withPart(whole, groups[turn], inner.point),
    trial: inner.trial,
  })

  /** The next group's turn, or the end where none can go on. */
  function pass(state: OneByOneState<S>, inner: S): OneByOneState<S> {
    const ended = state.ended.with(state.turn, inner)
    const { point } = show(inner, state.turn, state.point)
    if (ended.every((s) => s?.stopped))
      return { ...state, point, ended, inner, trial: undefined, stopped: inner.stopped }
    const turn = (state.turn + 1) % groups.length
    const start = part(point, groups[turn])
    const before = ended[turn]
    const next = before && optimizer.restart ? optimizer.restart(before, start, 1) : optimizer.init(start)
    return { ...state, ended, turn, inner: next, ...show(next, turn, point) }
  }

  function advance(state: OneByOneState<S>, inner: S): OneByOneState<S> {
    const evaluations = state.evaluations + 1
    const complete = inner.iteration > state.inner.iteration
    const iteration = state.iteration + (complete ? inner.iteration - state.inner.iteration : 0)
    const counted = { ...state, evaluations, iteration }
    if (complete || inner.stopped) return pass(counted, inner)
    return { ...counted, inner, ...show(inner, state.turn, state.point) }
  }

  return {
    name: `oneByOne(${optimizer.name})`,
    patience: optimizer.patience,
    settings: { optimizer, groups },
    init(point) {
      requirePoint('oneByOne', point)
      if (point.length < end)
        throw new DlgError('invalid-data', `oneByOne: the point has ${point.length} numbers; the groups need ${end}`)
      const inner = optimizer.init(part(point, groups[0]))
      return { point: point.slice(), iteration: 0, evaluations: 0, inner, turn: 0, ended: groups.map(() => undefined) }
    },
    step(state, evaluation) {
      requireStep('oneByOne', state, evaluation)
      const { value, gradient } = evaluation
      const stepped = optimizer.step(state.inner, { value, gradient: part(gradient, groups[state.turn]) })
      return stepped instanceof Promise ? stepped.then((inner) => advance(state, inner)) : advance(state, stepped)
    },
  }
}

function requireGroups(groups: readonly Group[]): void {
  const isRange = (range: unknown): boolean =>
    Array.isArray(range) &&
    range.length === 2 &&
    range.every(Number.isSafeInteger) &&
    0 <= range[0] &&
    range[0] < range[1]
  const isGroup = (group: unknown): boolean => Array.isArray(group) && group.length > 0 && group.every(isRange)
  if (Array.isArray(groups) && groups.length > 0 && groups.every(isGroup)) return
  const wrong = Array.isArray(groups) ? groups.findIndex((group) => !isGroup(group)) : -1
  const what = wrong < 0 ? `groups is ${shown(groups)}` : `groups[${wrong}] is ${shown(groups[wrong])}`
  throw invalid(`oneByOne: ${what}; it must be a list of groups, each a list of ranges [from, to) with 0 ≤ from < to`)
}

const lengthOf = (group: Group): number => group.reduce((n, [from, to]) => n + to - from, 0)

/** The coordinates of a group, one range after the other. */
function part(whole: Float64Array, group: Group): Float64Array {
  const out = new Float64Array(lengthOf(group))
  let at = 0
  for (const [from, to] of group) {
    out.set(whole.subarray(from, to), at)
    at += to - from
  }
  return out
}

/** A copy in which a group has other values. */
function withPart(whole: Float64Array, group: Group, values: Float64Array): Float64Array {
  const out = whole.slice()
  let at = 0
  for (const [from, to] of group) {
    out.set(values.subarray(at, at + to - from), from)
    at += to - from
  }
  return out
}
