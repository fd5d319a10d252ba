import { describe, expect, it } from 'vitest'
import { DlgError } from '../../src/errors/dlg-error'
import { adam, lbfgs, type MatrixProducts, oneByOne, recover, strongWolfe } from '../../src/optim'

const untyped = (construct: unknown) => construct as (...parameters: unknown[]) => unknown

/** Holds that a call is refused with a code and these words. */
function refused(call: () => unknown, code: string, ...words: string[]): void {
  let error: unknown
  try {
    call()
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(DlgError)
  expect(error).toMatchObject({ code })
  for (const word of words) expect((error as DlgError).message).toContain(word)
}

/** What is not a number, of every kind. */
const strangers = ['1', null, true, {}, [], [1], () => 1, Number.NaN, 10n, Symbol('one')]

describe('options', () => {
  it.each<[string, () => unknown, string]>([
    [
      'a learning rate of zero',
      () => lbfgs({ learningRate: 0 }),
      'lbfgs: learningRate is 0; it must be a finite number above 0',
    ],
    [
      'a negative learning rate',
      () => lbfgs({ learningRate: -1 }),
      'lbfgs: learningRate is -1; it must be a finite number above 0',
    ],
    ['an infinite learning rate', () => adam({ learningRate: Infinity }), 'adam: learningRate is Infinity'],
    [
      'half an iteration',
      () => lbfgs({ innerIterations: 0.5 }),
      'innerIterations is 0.5; it must be an integer at least 1',
    ],
    ['no history', () => lbfgs({ historySize: 0 }), 'historySize is 0'],
    ['a negative tolerance', () => lbfgs({ changeTolerance: -1 }), 'changeTolerance is -1'],
    [
      'a misspelt name',
      () => untyped(lbfgs)({ learningrate: 1 }),
      "no 'learningrate' in the options of lbfgs; there are learningRate",
    ],
    ['a name of Object.prototype', () => untyped(adam)({ toString: 1 }), "no 'toString' in the options of adam"],
    [
      'a string for a number',
      () => untyped(adam)({ beta1: '0.9' }),
      "adam: beta1 is '0.9'; it must be a finite number at least 0 and below 1",
    ],
    [
      'another line search',
      () => untyped(lbfgs)({ lineSearch: 'wolfe' }),
      "lineSearch is 'wolfe'; it must be 'none' or 'strong-wolfe'",
    ],
    ['something like a line search', () => untyped(lbfgs)({ lineSearch: {} }), 'lineSearch is an object; it must be'],
    ['no line search', () => untyped(lbfgs)({ lineSearch: null }), 'lineSearch is null'],
    ['something like products', () => untyped(lbfgs)({ products: { rows: 200 } }), 'products is an object; it must be'],
    ['no products', () => untyped(lbfgs)({ products: null }), 'products is null'],
    [
      'products of another size',
      () => lbfgs({ historySize: 4, products: { rows: 6, multiply() {}, combine() {} } as unknown as MatrixProducts }),
      'products has 6 rows; a historySize of 4 needs 8',
    ],
    ['a beta of one', () => adam({ beta2: 1 }), 'beta2 is 1; it must be a finite number at least 0 and below 1'],
    ['a soft sign without steps', () => adam({ gradientSign: 'soft' }), "gradientSign 'soft' needs steps"],
    ['a linear decay without steps', () => adam({ decay: 'linear' }), "decay 'linear' needs steps"],
    ['a cosine decay without steps', () => adam({ decay: 'cosine' }), "decay 'cosine' needs steps"],
    [
      'another decay',
      () => untyped(adam)({ decay: 'exponential' }),
      "must be 'none' or 'step' or 'linear' or 'cosine'",
    ],
    [
      'another sign',
      () => untyped(adam)({ gradientSign: true }),
      "gradientSign is true; it must be 'none' or 'sign' or 'soft'",
    ],
    ['an endless warm-up', () => adam({ steps: 5, warmup: 5 }), 'warmup is 5; it must be below steps (5)'],
    ['a projection that is none', () => untyped(adam)({ project: 1 }), 'project is 1; it must be a function'],
    ['a factor of one', () => recover(adam(), { factor: 1 }), 'factor is 1; it must be a number above 1'],
    ['half an attempt', () => recover(adam(), { attempts: 0.5 }), 'attempts is 0.5'],
    [
      'Wolfe constants the wrong way round',
      () => strongWolfe({ remainingSlope: 1e-5 }),
      'remainingSlope is 0.00001; it must be a finite number above 0.0001 and below 1',
    ],
  ])('refuse %s', (_, construct, message) => {
    refused(construct, 'invalid-option', message)
  })

  const numeric: [string, (options: object) => unknown, string[]][] = [
    ['adam', adam, ['learningRate', 'beta1', 'beta2', 'epsilon', 'weightDecay', 'warmup', 'gradientClip', 'steps']],
    [
      'lbfgs',
      lbfgs,
      ['learningRate', 'innerIterations', 'historySize', 'gradientTolerance', 'changeTolerance', 'curvature'],
    ],
    ['strongWolfe', strongWolfe, ['sufficientDecrease', 'remainingSlope', 'changeTolerance', 'iterations']],
    ['recover', (options) => recover(adam(), options), ['factor', 'attempts', 'shrink']],
  ]
  it.each(numeric.flatMap(([owner, construct, names]) => names.map((name) => [owner, name, construct] as const)))(
    'of %s refuse what is no number for %s, and numbers far out',
    (owner, name, construct) => {
      const outside = name === 'factor' ? [-1e300, -Infinity] : [-1e300, -Infinity, Infinity]
      for (const value of [...strangers, ...outside])
        refused(() => construct({ [name]: value }), 'invalid-option', `${owner}: ${name} is `, 'it must be ')
    },
  )

  it.each(numeric)('of %s refuse what is no record of options', (owner, construct) => {
    for (const options of [null, 5, 'fast', [], true])
      refused(() => untyped(construct)(options), 'invalid-option', `the options of ${owner} is`, 'must be an object')
    refused(() => construct({ learning: 1 }), 'invalid-option', `no 'learning' in the options of ${owner}`)
  })

  it('that are undefined keep their defaults', () => {
    const optimizer = lbfgs({ learningRate: undefined, lineSearch: undefined })
    const state = optimizer.step(optimizer.init(Float64Array.of(0)), { value: 1, gradient: Float64Array.of(-4) })
    expect(state.point[0]).toBe(1)
  })
})

describe('what an optimizer wraps', () => {
  it.each([undefined, null, 'lbfgs', {}, { init() {} }, { step() {} }, adam])('is not %s', (optimizer) => {
    const words = ['the optimizer is ', 'it must be an object with init() and step()']
    refused(() => untyped(recover)(optimizer), 'invalid-option', 'recover: ', ...words)
    refused(() => untyped(oneByOne)(optimizer, [[[0, 1]]]), 'invalid-option', 'oneByOne: ', ...words)
  })

  it.each([
    [undefined, 'groups is undefined'],
    [null, 'groups is null'],
    [3, 'groups is 3'],
    [[], 'groups is []'],
    [[[]], 'groups[0] is []'],
    [[[[0, 1]], 5], 'groups[1] is 5'],
    [[[0, 1]], 'groups[0] is [0, 1]'],
    [[[[1, 1]]], 'groups[0] is [[1, 1]]'],
    [[[[2, 1]]], 'groups[0] is [[2, 1]]'],
    [[[[-1, 1]]], 'groups[0] is [[-1, 1]]'],
    [[[[0, 1.5]]], 'groups[0] is [[0, 1.5]]'],
    [[[['0', '1']]], "groups[0] is [['0', '1']]"],
    [[[[0, Number.NaN]]], 'groups[0] is [[0, NaN]]'],
    [[[[0, 1, 2]]], 'groups[0] is [[0, 1, 2]]'],
  ])('has no groups like %j', (groups, words) => {
    refused(
      () => untyped(oneByOne)(adam(), groups),
      'invalid-option',
      `oneByOne: ${words}; it must be a list of groups`,
    )
  })

  it('has groups inside the point', () => {
    const optimizer = oneByOne(adam(), [[[0, 2]], [[2, 6]]])
    refused(() => optimizer.init(new Float64Array(5)), 'invalid-data', 'the point has 5 numbers; the groups need 6')
  })
})

describe.each([
  ['lbfgs', lbfgs()],
  ['lbfgs', lbfgs({ lineSearch: 'strong-wolfe' })],
  ['adam', adam()],
  ['recover', recover(lbfgs())],
  ['oneByOne', oneByOne(adam(), [[[0, 2]]])],
])('%s', (name, optimizer) => {
  const point = Float64Array.of(1, 2)

  it.each([undefined, null, 5, 'origin', [1, 2], Float32Array.of(1, 2), {}])('does not begin at %j', (start) => {
    refused(() => untyped(optimizer.init)(start), 'invalid-data', `${name}: the point is `, 'a Float64Array')
    if (!optimizer.restart) return
    const again = () => untyped(optimizer.restart)(optimizer.init(point as never), start, 1)
    refused(again, 'invalid-data', `${name}: the point is `)
  })

  it.each([
    [undefined],
    [null],
    [5],
    [{}],
    [{ value: 1 }],
    [{ gradient: Float64Array.of(1, 2) }],
    [{ value: '1', gradient: Float64Array.of(1, 2) }],
    [{ value: 1, gradient: [1, 2] }],
    [{ value: 1, gradient: Float32Array.of(1, 2) }],
  ])('does not step on %j', (evaluation) => {
    const step = () => untyped(optimizer.step)(optimizer.init(point), evaluation)
    refused(step, 'invalid-data', `${name}: the evaluation must be { value: a number, gradient: a Float64Array }`)
  })

  it('does not step on a gradient of another length, nor from what is no state', () => {
    const step = (state: unknown, n: number) => () =>
      untyped(optimizer.step)(state, { value: 1, gradient: new Float64Array(n) })
    refused(step(optimizer.init(point), 3), 'invalid-data', `${name}: the gradient has 3 numbers; the point has 2`)
    for (const state of [undefined, null, {}, { point: [1, 2] }])
      refused(step(state, 2), 'invalid-data', `${name}: the point is `)
  })
})

describe('a plug-in', () => {
  const at = (optimizer: ReturnType<typeof lbfgs>) =>
    optimizer.step(optimizer.init(Float64Array.of(1, 2)), {
      value: 1,
      gradient: Float64Array.of(1, 2),
    })

  it.each([
    undefined,
    null,
    5,
    {},
    { step: '1' },
    { step: 1, accepted: {} },
    { step: 1, accepted: { step: 1, value: 1 } },
  ])('that searches lines may not answer %j', (answer) => {
    const words = "init() and step() of lineSearch 'mine' must return a state with a step or an accepted trial"
    const mine = (init: unknown, step: unknown) =>
      lbfgs({ lineSearch: { name: 'mine', init: () => init, step: () => step } as never })
    refused(() => at(mine(answer, answer)), 'invalid-option', words)
    const second = mine({ step: 1 }, answer)
    refused(() => second.step(at(second), { value: 1, gradient: Float64Array.of(1, 2) }), 'invalid-option', words)
  })

  it.each([undefined, null, [1, 2], new Float64Array(3), Float32Array.of(1, 2)])(
    'that projects may not answer %j',
    (answer) => {
      const optimizer = adam({ project: () => answer as never })
      const step = () =>
        optimizer.step(optimizer.init(new Float64Array(2)), { value: 1, gradient: new Float64Array(2) })
      refused(step, 'invalid-option', 'adam: project() must return a Float64Array of 2 numbers')
    },
  )
})

describe('strongWolfe', () => {
  const start = { step: 0, value: 1, slope: -1, gradient: new Float64Array(1) }

  it.each([undefined, null, 5, {}, { ...start, value: '1' }, { ...start, slope: null }])(
    'takes no trial like %j',
    (trial) => {
      const search = strongWolfe()
      const state = search.init({ start, step: 1, reach: 1 })
      refused(() => untyped(search.step)(state, trial), 'invalid-data', 'strongWolfe: a trial must be')
      refused(
        () => untyped(search.init)({ start: trial, step: 1, reach: 1 }),
        'invalid-data',
        'strongWolfe: a trial must be',
      )
    },
  )

  it('has no ray without a step and a reach', () => {
    const init = untyped(strongWolfe().init)
    refused(() => init(undefined), 'invalid-data', 'strongWolfe: ')
    for (const wrong of [...strangers, 0, -1])
      refused(() => init({ start, step: wrong, reach: 1 }), 'invalid-data', 'strongWolfe: a ray must have')
    for (const wrong of strangers)
      refused(() => init({ start, step: 1, reach: wrong }), 'invalid-data', 'strongWolfe: a ray must have')
  })
})
