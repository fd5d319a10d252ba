import { describe, expect, it } from 'vitest'
import { DlgError } from '../../src/index'
import { accepted } from './accepted'
import { entries, nearMisses, rows, wrongs } from './exports'

type Call = (...args: readonly unknown[]) => unknown

/** Functions of an entry, by name. */
const functionsOf = (entry: object): [string, Call][] =>
  Object.entries(entry).filter((pair): pair is [string, Call] => typeof pair[1] === 'function')

/** What a call throws, at once or later; undefined where it succeeds. */
async function thrownBy(call: Call, args: readonly unknown[]): Promise<unknown> {
  try {
    await call(...args)
    return undefined
  } catch (error) {
    return error ?? 'nothing was thrown'
  }
}

/** An error of ours says what is wrong and what would be right, in one line. */
function problemOf(error: unknown): string | undefined {
  if (!(error instanceof DlgError)) return String(error).slice(0, 120)
  if (typeof error.code !== 'string' || error.message.includes('[object ')) return error.message
  return error.message.length > 10 && !error.message.includes('\n') ? undefined : `'${error.message}' says too little`
}

describe.each(Object.entries(entries))('%s', (entry, exported) => {
  const rights = rows[entry as keyof typeof entries]

  it('has a row for every function', () => {
    expect(Object.keys(rights).sort()).toEqual(
      functionsOf(exported)
        .map(([name]) => name)
        .sort(),
    )
  })

  const calls = functionsOf(exported).filter(([name]) => name !== 'DlgError')

  it.each(calls)('%s takes what is right', async (name, call) => {
    expect(await thrownBy(call, await rights[name]())).toBeUndefined()
  })

  it.each(calls)('%s refuses what is wrong in any position, as a DlgError', async (name, call) => {
    const right = await rights[name]()
    const problems: string[] = []
    for (const [position] of right.entries())
      for (const [what, wrong] of wrongs) {
        // a word is a path, and the file would lie in the working directory
        if (name === 'writeFileAtomic' && position === 0 && typeof wrong === 'string') continue
        const error = await thrownBy(call, (await rights[name]()).with(position, wrong))
        const fine = accepted[entry]?.[name]?.[position]?.includes(what) ?? false
        const problem = error === undefined ? !fine && 'was accepted' : fine ? String(error) : problemOf(error)
        if (problem) problems.push(`${what} as argument ${position}: ${problem}`)
      }
    expect(problems).toEqual([])
  })

  it.each(calls)('%s fails over a part that is wrong with a DlgError, or does not read it', async (name, call) => {
    const right = await rights[name]()
    const problems: string[] = []
    for (const [position, argument] of right.entries())
      for (const [what, wrong] of nearMisses(argument)) {
        const error = await thrownBy(call, (await rights[name]()).with(position, wrong))
        const problem = error === undefined ? undefined : problemOf(error)
        if (problem) problems.push(`${what} in argument ${position}: ${problem}`)
      }
    expect(problems).toEqual([])
  })
})

describe('sizes that fit no memory are refused before any work', () => {
  const [model, shared] = (rows['dlg-ts'].deepLeakage as () => readonly unknown[])() as [never, never]
  const refused = async (work: () => unknown, words: RegExp) => {
    const error = await thrownBy(work, [])
    expect(error).toBeInstanceOf(DlgError)
    expect((error as DlgError).message).toMatch(words)
  }

  it.each([1e9, 1e12, Number.MAX_SAFE_INTEGER])('a batch of %d samples', async (batchSize) => {
    const { deepLeakage, inferLabels } = entries['dlg-ts']
    await refused(() => deepLeakage(model, shared, { batchSize }), /batchSize is \d+; .* must be at most 8388608/)
    await refused(() => inferLabels(model, shared, { batchSize }), /batchSize is \d+; .* must be at most 8388608/)
  })

  it('models, pictures and shapes', async () => {
    const { randomBert, randomGpt } = entries['dlg-ts/text']
    const { encodeGif, resize } = entries['dlg-ts/io']
    const image = { width: 60_000, height: 1, data: new Float32Array(180_000) }
    await refused(() => randomBert({ vocabularySize: 9_000_000, hidden: 64 }), /must have at most 268435456/)
    await refused(
      () => randomGpt({ vocabularySize: 100, layers: 1e6 }),
      /layers .* must be a whole number from 1 to 1000/,
    )
    await refused(() => encodeGif(new Array(10_000).fill(image)), /at most 500 megapixels/)
    await refused(() => resize(image, 1e6, 1e6), /at most 50 megapixels/)
    await refused(() => entries['dlg-ts graph'].range(1e9), /at most 64/)
  })
})
