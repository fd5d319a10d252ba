import { expect, it } from 'vitest'
import { DlgError } from '../../src'
import { leakageOptions } from '../../src/attacks/matching/options'
import { knownNames, show } from '../../src/errors/checks'

class Empty {
  get norm() {
    return 1
  }
}
class Options {
  readonly norm = 1
}

it.each<[what: string, value: object]>([
  ['a Promise (await it first)', Promise.resolve({})],
  // biome-ignore lint/suspicious/noThenProperty: what any library calls a promise
  ['a Promise (await it first)', { then: () => undefined }],
  ['a Date', new Date()],
  ['a Map', new Map([['norm', 1]])],
  ['a Set', new Set([1])],
  ['a RegExp', /norm/],
  ['an Error', new RangeError('norm')],
  ['a Float32Array', new Float32Array(2)],
  ['an ArrayBuffer', new ArrayBuffer(2)],
  ['an object of the class Empty without fields', new Empty()],
])('no options are in %s', (what, value) => {
  expect(() => knownNames('options', value, ['norm'])).toThrow(`options is ${what}; it must be an object`)
  for (const name of ['known', 'priors', 'budget', 'consistency', 'preprocessing', 'labels']) {
    const thrown = () => leakageOptions({ [name]: value })
    expect(thrown).toThrow(DlgError)
    // a typed array may be a list of classes
    if (!(name === 'labels' && value instanceof Float32Array)) expect(thrown).toThrow(`${name} is ${what}; it must be`)
  }
})

it('options may be an object of a class, or of none', () => {
  expect(() => knownNames('options', new Options(), ['norm'])).not.toThrow()
  const none = Object.assign(Object.create(null), { norm: 1 })
  expect(() => knownNames('options', none, ['norm'])).not.toThrow()
  expect([show({}), show(null), show([new Date()])]).toEqual(['an object', 'null', '[a Date]'])
})
