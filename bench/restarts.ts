import { join } from 'node:path'
import { findCase } from './cases'
import { type PeerKind, start } from './peer'
import { median } from './timing'

/** Four restarts, one after the other and two at a time. */
export interface RestartsResult {
  readonly case: string
  readonly alone: number
  readonly together: number
  /** Of the repeats' ratios. */
  readonly ratio: number
}

/** A second or two for each restart. */
const CASES = [
  { name: 'lenet-b1', iterations: 60 },
  { name: 'lenet-b8', iterations: 12 },
]

/** What a second core gains. */
export async function restarts(ours: PeerKind, folder: string, repeats: number): Promise<RestartsResult[]> {
  const results: RestartsResult[] = []
  for (const { name, iterations } of CASES) {
    const peer = start(ours, 1)
    try {
      const file = join(folder, `${name}-restarts.safetensors`)
      await peer.ask({ do: 'open', name, case: findCase(name), threads: 1, file })
      const pairs: { alone: number; together: number }[] = []
      for (let i = 0; i < repeats; i++) {
        const [alone, together] = [
          await peer.ask({ do: 'restarts', concurrency: 1, iterations }),
          await peer.ask({ do: 'restarts', concurrency: 2, iterations }),
        ]
        if (alone.loss !== together.loss) throw new Error(`${name}: concurrency changed the result`)
        pairs.push({ alone: alone.ms, together: together.ms })
      }
      results.push({
        case: name,
        alone: median(pairs.map((p) => p.alone)),
        together: median(pairs.map((p) => p.together)),
        ratio: median(pairs.map((p) => p.together / p.alone)),
      })
    } finally {
      await peer.close()
    }
  }
  return results
}
