import { describe, expect, it } from 'vitest'
import { adam, lbfgs, recover, strongWolfe } from '../../src/optim/index'

const untyped = (construct: unknown) => construct as (options: unknown) => unknown

describe('options', () => {
  it.each<[string, () => unknown, typeof RangeError, string]>([
    [
      'a learning rate of zero',
      () => lbfgs({ learningRate: 0 }),
      RangeError,
      'lbfgs: learningRate must be a finite number above 0',
    ],
    ['an infinite learning rate', () => adam({ learningRate: Infinity }), RangeError, 'adam: learningRate'],
    [
      'half an iteration',
      () => lbfgs({ innerIterations: 0.5 }),
      RangeError,
      'innerIterations must be an integer at least 1',
    ],
    ['no history', () => lbfgs({ historySize: 0 }), RangeError, 'historySize'],
    ['a negative tolerance', () => lbfgs({ changeTolerance: -1 }), RangeError, 'changeTolerance'],
    [
      'a misspelt name',
      () => untyped(lbfgs)({ learningrate: 1 }),
      TypeError,
      "unknown option 'learningrate'; known are learningRate",
    ],
    ['a name of Object.prototype', () => untyped(adam)({ toString: 1 }), TypeError, "unknown option 'toString'"],
    [
      'a string for a number',
      () => untyped(adam)({ beta1: '0.9' }),
      TypeError,
      'adam: beta1 must be a number, not string',
    ],
    [
      'another line search',
      () => untyped(lbfgs)({ lineSearch: 'wolfe' }),
      RangeError,
      'lineSearch must be one of none, strong-wolfe',
    ],
    [
      'something like a line search',
      () => untyped(lbfgs)({ lineSearch: {} }),
      TypeError,
      'a lineSearch must have init and step',
    ],
    ['a beta of one', () => adam({ beta2: 1 }), RangeError, 'beta2 must be a finite number at least 0 and below 1'],
    ['a soft sign without steps', () => adam({ gradientSign: 'soft' }), TypeError, "gradientSign 'soft' needs steps"],
    ['a decay without steps', () => adam({ decay: 'linear' }), TypeError, "decay 'linear' needs steps"],
    ['an endless warm-up', () => adam({ steps: 5, warmup: 5 }), RangeError, 'warmup must be below steps (5)'],
    ['a projection that is none', () => untyped(adam)({ project: 1 }), TypeError, 'project must be a function'],
    ['a factor of one', () => recover(adam(), { factor: 1 }), RangeError, 'factor must be a number above 1'],
    ['half an attempt', () => recover(adam(), { attempts: 0.5 }), RangeError, 'attempts'],
    [
      'Wolfe constants the wrong way round',
      () => strongWolfe({ remainingSlope: 1e-5 }),
      RangeError,
      'remainingSlope must be a finite number above 0.0001 and below 1',
    ],
  ])('refuse %s', (_, construct, error, message) => {
    expect(construct).toThrow(error)
    expect(construct).toThrow(message)
  })

  it('that are undefined keep their defaults', () => {
    const optimizer = lbfgs({ learningRate: undefined, lineSearch: undefined })
    const state = optimizer.step(optimizer.init(Float64Array.of(0)), { value: 1, gradient: Float64Array.of(-4) })
    expect(state.point[0]).toBe(1)
  })

  it('aside, a gradient of another length is refused', () => {
    for (const optimizer of [lbfgs(), adam()]) {
      const step = () =>
        optimizer.step(optimizer.init(new Float64Array(2)) as never, { value: 1, gradient: new Float64Array(3) })
      expect(step).toThrow(new RangeError(`${optimizer.name}: the gradient has 3 elements, the point has 2`))
    }
  })
})
