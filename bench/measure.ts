import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from './cases'
import { type Peer, type PeerKind, start } from './peer'
import { median } from './timing'

/** Milliseconds of one thing, over the repeats. */
export interface Times {
  readonly median: number
  readonly min: number
  readonly repeats: readonly number[]
}

/** What one peer did in one case. */
export interface Result {
  /** To the first evaluation, each time in a fresh process. */
  compile?: Times
  evaluation?: Times
  /** The client's gradient alone, where the whole objective cannot be had. */
  gradient?: Times
  iteration?: Times
  /** Part of an iteration that is not evaluating. */
  optimizerShare?: number
  /** Curvature pairs in memory while iterations were timed. */
  pairs?: number
  /** Resident set of the process at its largest, and with everything loaded and no case open. */
  memory?: { readonly peakMb: number; readonly idleMb: number }
  /** |v − v₀| / |v₀| and ‖g − g₀‖ / ‖g₀‖ against ours. */
  agreement?: { readonly value: number; readonly gradient: number }
  /** Why something is missing. */
  note?: string
}

export interface Plan {
  readonly repeats: number
  /** Of one measurement, in milliseconds. */
  readonly slice: number
  /** Most seconds one peer may spend on iterations in one repeat. */
  readonly iterating: number
}

const PAIRS = 100
/** Strong Wolfe takes more evaluations than steps: this many give 100 pairs. */
const FILL = 130

export const timesOf = (repeats: readonly number[]): Times => ({
  ...{ median: median(repeats), min: Math.min(...repeats), repeats },
})

const floats = (file: string): Float32Array => {
  const bytes = readFileSync(file)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

function relativeDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`gradients of ${a.length} and ${b.length} numbers`)
  let [difference, size] = [0, 0]
  b.forEach((v, i) => {
    difference += (a[i] - v) ** 2
    size += v ** 2
  })
  return Math.sqrt(difference / size)
}

/** Measures all peers on one case, taking turns, each in a process of its own. The first is the one compared with. */
export async function measure(
  c: Case,
  threads: number,
  kinds: readonly PeerKind[],
  plan: Plan,
  folder: string,
): Promise<Map<string, Result>> {
  const results = new Map<string, Result>(kinds.map(({ name }) => [name, {}]))
  const running: { name: string; peer: Peer; result: Result }[] = []
  const file = join(folder, `${c.name}.safetensors`)
  try {
    for (const kind of kinds) {
      const peer = start(kind, threads)
      const result = results.get(kind.name)!
      try {
        await peer.ask({ do: 'about' })
        const idleMb = (await peer.ask({ do: 'memory' })).peakMb
        result.memory = { peakMb: idleMb, idleMb }
        const opened = await peer.ask({ do: 'open', name: c.name, case: c, threads, file })
        result.compile = timesOf([opened.compileMs])
        if (opened.throws) result.note = `throws: ${opened.throws}`
        running.push({ name: kind.name, peer, result })
      } catch (error) {
        result.note = (error as Error).message.split('\n')[0].slice(0, 160)
        result.memory = undefined
        await peer.close()
      }
    }
    const able = running.filter(({ result }) => !result.note)
    await compare(able, folder)
    const beside = running.some(({ name }) => name === 'before')
    await openAnew(beside ? able.filter(({ name }) => name === 'ours' || name === 'before') : [], kinds, plan, {
      ...{ do: 'open', name: c.name, case: c, threads, file },
    })
    const evaluations = await inTurns(able, plan.repeats, ({ peer }) => peer.ask({ do: 'evaluate', ms: plan.slice }))
    able.forEach(({ result }, i) => {
      result.evaluation = timesOf(evaluations[i])
    })
    await iterate(able, plan)
    const partial = running.filter(({ result }) => result.note)
    const gradients = await inTurns(partial, 1, ({ peer }) => peer.ask({ do: 'gradient', ms: plan.slice }))
    partial.forEach(({ result }, i) => {
      result.gradient = timesOf(gradients[i])
    })
    for (const { peer, result } of running)
      result.memory = { ...result.memory!, peakMb: (await peer.ask({ do: 'memory' })).peakMb }
    return results
  } finally {
    await Promise.all(running.map(({ peer }) => peer.close()))
  }
}

/**
 * Opens a case again and again, each time in a fresh process, in turns: what one process takes depends on what the machine did just before.
 * A peer's order in a turn changes from one turn to the next.
 */
async function openAnew(
  running: readonly Running[],
  kinds: readonly PeerKind[],
  plan: Plan,
  request: { readonly do: 'open'; readonly threads: number },
): Promise<void> {
  const times = new Map(running.map(({ name, result }) => [name, [...result.compile!.repeats]]))
  for (let repeat = 1; repeat < plan.repeats; repeat++)
    for (const { name } of repeat % 2 === 1 ? running.toReversed() : running) {
      const peer = start(kinds.find((kind) => kind.name === name)!, request.threads)
      try {
        await peer.ask({ do: 'about' })
        times.get(name)!.push((await peer.ask({ ...request })).compileMs)
      } finally {
        await peer.close()
      }
    }
  for (const { name, result } of running) result.compile = timesOf(times.get(name)!)
}

export type Running = { readonly name: string; readonly peer: Peer; readonly result: Result }

/** Milliseconds each, per peer and repeat: a, b, c, a, b, c …, so that a slow minute hits everyone. */
export async function inTurns(
  running: readonly Running[],
  repeats: number,
  what: (r: Running) => Promise<{ count: number; ms: number }>,
): Promise<number[][]> {
  const lists: number[][] = running.map(() => [])
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const [i, r] of running.entries()) {
      const { count, ms } = await what(r)
      lists[i].push(ms / count)
    }
  return lists
}

export async function compare(running: readonly Running[], folder: string): Promise<void> {
  const files = running.map(({ name }) => join(folder, `${name.replace(' ', '-')}.f32`))
  const values: number[] = []
  for (const [i, { peer }] of running.entries()) values.push((await peer.ask({ do: 'value', file: files[i] })).value)
  running.forEach(({ result }, i) => {
    if (i === 0) return
    result.agreement = {
      value: Math.abs(values[i] - values[0]) / Math.abs(values[0]),
      gradient: relativeDifference(floats(files[i]), floats(files[0])),
    }
  })
}

/** The whole search loop, of the peers that have one. */
async function iterate(running: readonly Running[], plan: Plan): Promise<void> {
  const searching = running.filter(({ name }) => ['ours', 'before', 'torch'].includes(name))
  if (searching.length === 0) return
  const slowest = Math.max(...searching.map(({ result }) => result.evaluation!.median))
  const affordable = Math.floor((plan.iterating * 1000) / slowest)
  // ours says where it is once per 20 steps
  const count = Math.max(30, Math.min(100, Math.floor(affordable / 3)))
  const fill = Math.max(5, Math.min(FILL, affordable - count))
  const repeats = slowest * (fill + count) > plan.iterating * 1000 ? 1 : Math.min(plan.repeats, 3)
  const pairs = new Map<string, number>()
  const shares = new Map<string, number[]>()
  const lists = await inTurns(searching, repeats, async ({ name, peer }) => {
    const reply = await peer.ask({ do: 'iterate', fill, count })
    pairs.set(name, Math.min(PAIRS, reply.pairs))
    if (reply.evaluatingMs > 0) shares.set(name, [...(shares.get(name) ?? []), 1 - reply.evaluatingMs / reply.ms])
    return reply
  })
  searching.forEach(({ name, result }, i) => {
    const finite = lists[i].filter(Number.isFinite)
    if (finite.length === 0) return
    result.iteration = timesOf(finite)
    result.pairs = pairs.get(name)
    if (shares.has(name)) result.optimizerShare = median(shares.get(name)!)
  })
}
