import { describe, expect, it } from 'vitest'
import { DlgError } from '../../src/index'

/** The class once more, as the other build of the package has it. */
async function secondCopy(): Promise<typeof DlgError> {
  const url = '../../src/errors/dlg-error.ts?second'
  const { DlgError: other } = await import(/* @vite-ignore */ url)
  return other
}

describe('DlgError', () => {
  it('is recognised across copies of the package', async () => {
    const Other = await secondCopy()
    expect(Other).not.toBe(DlgError)
    const [ours, theirs] = [new DlgError('budget', 'ours'), new Other('budget', 'theirs')]
    for (const error of [ours, theirs])
      expect([error instanceof DlgError, error instanceof Other, DlgError.is(error), Other.is(error)]).toEqual([
        true,
        true,
        true,
        true,
      ])
    expect(Object.getPrototypeOf(theirs)).not.toBe(DlgError.prototype)
  })

  it.each([
    undefined,
    null,
    'DlgError',
    7,
    {},
    new Error('DlgError'),
    { name: 'DlgError', code: 'budget', message: '' },
  ])('is none: %s', (value) => {
    expect([DlgError.is(value), (value as object) instanceof DlgError]).toEqual([false, false])
  })

  it('has a name, a code, a message, a cause and a stack, and nothing else to enumerate', () => {
    const cause = new Error('why')
    const error = new DlgError('runtime', 'what', { cause })
    expect(error).toMatchObject({ name: 'DlgError', code: 'runtime', message: 'what', cause })
    expect(error).toBeInstanceOf(Error)
    expect(error.stack).toContain('dlg-error.test')
    expect(Object.keys(error).sort()).toEqual(['code', 'name'])
  })

  it('a subclass is told by its prototype', () => {
    class Own extends DlgError {}
    expect(new DlgError('budget', '') instanceof Own).toBe(false)
    expect(new Own('budget', '') instanceof Own).toBe(true)
    expect(new Own('budget', '') instanceof DlgError).toBe(true)
  })
})
