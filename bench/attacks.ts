import { join } from 'node:path'
import { findCase } from './cases'
import { type PeerKind, start } from './peer'

interface Outcome {
  /** Until the mean squared error was below the target; undefined or null when it never was. */
  readonly ms?: number | null
  /** Of the last picture; null when it was not finite. */
  readonly mse: number | null
  readonly evaluations: number
}

/** One photograph under one model, attacked by both. */
export interface AttackResult {
  readonly seed: number
  readonly ours: Outcome
  readonly torch?: Outcome
}

const TARGET = 1e-4

/** Our default attack and the paper's recipe in PyTorch on the same models. */
export async function attacks(
  kinds: readonly PeerKind[],
  folder: string,
  count: number,
  seconds: number,
): Promise<AttackResult[]> {
  const c = findCase('lenet-b1')
  const file = join(folder, 'attack.safetensors')
  const [mine, torch] = ['ours', 'torch'].map((name) => {
    const kind = kinds.find((k) => k.name === name)
    return kind && start(kind, 1)
  })
  try {
    const results: AttackResult[] = []
    for (let seed = 1; seed <= count; seed++) {
      const request = { do: 'attack', case: c, seed, seconds, mse: TARGET, file }
      const ours: Outcome = await mine!.ask(request)
      results.push({ seed, ours, torch: await torch?.ask(request) })
    }
    return results
  } finally {
    await Promise.all([mine?.close(), torch?.close()])
  }
}
