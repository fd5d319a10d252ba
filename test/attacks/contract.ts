import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { type Attack, type Outcome, runAttack, type Target, THREAT_MODELS } from '../../src/attacks'

const STATUSES = ['proven', 'matched', 'undetermined', 'partial', 'failed', 'refused', 'cut']

/** A situation that an attack is tried in. */
export interface Situation<Options> {
  readonly words: string
  target(): Promise<Target>
  readonly options: Options
  /** The statuses that are right here. */
  readonly right: readonly Outcome['status'][]
  /** Looks at an outcome; its tensors are freed afterwards. */
  check?(outcome: Outcome): void
}

/** What every attack of the registry and of a caller promises, in situations where it applies and where it does not. */
export function contractTests<Options extends object>(
  attack: Attack<Options>,
  situations: readonly Situation<Options>[],
) {
  const copyOf = ({ gradients, weights }: Target) => ({
    gradients: gradients.map((values) => [...values]),
    weights: [...weights].map(([name, values]) => [name, [...values]]),
  })

  it('has a name, a paper, and says what it needs', () => {
    expect(attack.name).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(attack.source.length).toBeGreaterThan(10)
    expect(['data', 'labels', 'tokens']).toContain(attack.leaks)
    const { threatModel, ...needs } = attack.needs
    for (const need of Object.values(needs)) expect(need.length).toBeGreaterThan(2)
    if (threatModel !== undefined) expect(Object.keys(THREAT_MODELS)).toContain(threatModel)
  })

  it.each(situations)('$words: the right status, the same again, nothing changed, nothing left', async (situation) => {
    const { options, right, check } = situation
    const target = await situation.target()
    const before = copyOf(target)
    const tensors = tf.memory().numTensors
    const reason = await attack.refuses(target, options)
    expect(tf.memory().numTensors).toBe(tensors)
    const first = await runAttack(attack, target, options, { seed: 3 })
    const second = await runAttack(attack, target, options, { seed: 3 })
    try {
      expect(STATUSES).toContain(first.status)
      expect(right).toContain(first.status)
      expect(first.status === 'refused').toBe(reason !== undefined)
      expect(first.attack).toBe(attack.name)
      expect(first.reason.length).toBeGreaterThan(10)
      expect(first.work).toMatchObject({ seed: 3, evaluations: second.work.evaluations })
      for (const outcome of [first, second]) {
        const { data, inputs = {} } = outcome.found
        for (const tensor of [data, ...Object.values(inputs)]) expect(tensor?.isDisposed ?? false).toBe(false)
      }
      const values = ({ found: { data, labels, tokens, sequences } }: Outcome) => ({
        ...{ labels, tokens, sequences, data: data && [...data.dataSync()] },
      })
      expect(values(second)).toEqual(values(first))
      // what claims a proof shows its residual, and one below its floor
      if (first.status === 'proven') expect(first.evidence.residual).toBeLessThanOrEqual(first.evidence.floor ?? 1e-4)
      if (first.status === 'failed' || first.status === 'refused') expect(first.reason).not.toMatch(/\bsafe\b/)
      check?.(first)
      expect(copyOf(target)).toEqual(before)
    } finally {
      first.dispose()
      second.dispose()
    }
    expect(tf.memory().numTensors).toBe(tensors)
  })

  it('refuses an option that it does not have', async () => {
    const target = await situations[0].target()
    const wrong = { ...situations[0].options, aWrongName: 1 }
    if (attack.check)
      await expect(runAttack(attack, target, wrong)).rejects.toMatchObject({
        ...{ code: 'invalid-option', message: expect.stringContaining('aWrongName') },
      })
  })

  it('does not begin when the caller has aborted', async () => {
    const target = await situations[0].target()
    const signal = AbortSignal.abort()
    await expect(runAttack(attack, target, situations[0].options, { signal })).rejects.toMatchObject({
      code: 'aborted',
    })
  })
}
