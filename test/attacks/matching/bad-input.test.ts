import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  adam,
  cosine,
  DlgError,
  type DlgErrorCode,
  deepLeakageFromGradients,
  type FunctionalModel,
  gradientsOf,
  type LeakageOptions,
  type Model,
  type PlainTensor,
  type SharedGradients,
  type TrainingOptions,
} from '../../../src'
import * as g from '../../../src/graph'
import { convNet, denseNet, functionalNet, functionalWeights, plain, sample, spy } from './tiny'

// what a caller in JavaScript can pass
// biome-ignore lint/suspicious/noExplicitAny: that is anything
type Anything = any

const NAMES = ['w1', 'b1', 'w2', 'b2']

let weights: tf.NamedTensorMap
let model: FunctionalModel
let shared: Record<string, PlainTensor>
let owned: { dispose(): unknown }[]
let runtime: ReturnType<typeof spy>
let numTensors: number

beforeAll(async () => {
  await tf.setBackend('cpu')
})

beforeEach(async () => {
  weights = functionalWeights()
  model = functionalNet(weights)
  const x = sample([1, 8])
  shared = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
  x.dispose()
  owned = []
  runtime = spy()
  numTensors = tf.memory().numTensors
})

afterEach(() => {
  tf.dispose(owned as Anything)
  // some tests dispose a weight themselves
  const disposed = Object.values(weights).filter((w) => w.isDisposed).length
  expect(tf.memory().numTensors).toBe(numTensors - disposed)
  expect(tf.getBackend()).toBe('cpu')
  tf.dispose(weights)
})

/** Remembers what a test makes, so that what the attack leaves behind can be told apart. */
function own<T extends { dispose(): unknown }>(thing: T): T {
  owned.push(thing)
  return thing
}

/** The attack is refused, with this code and these words, before anything was compiled; the gradient too, if asked. */
async function refused(
  code: DlgErrorCode,
  words: readonly (string | RegExp)[],
  attempt: { model?: Model; shared?: SharedGradients; options?: LeakageOptions | null },
): Promise<void> {
  const { options } = attempt
  const given = options && typeof options === 'object' && !Array.isArray(options) ? { runtime, ...options } : options
  const error: unknown = await deepLeakageFromGradients(
    'model' in attempt ? attempt.model! : model,
    'shared' in attempt ? attempt.shared! : shared,
    'options' in attempt ? (given as LeakageOptions) : { runtime },
  ).then(
    (leak) => {
      leak.dispose()
      return 'nothing was thrown'
    },
    (thrown) => thrown,
  )
  isError(error, code, words)
  expect(runtime.compiled).toBe(0)
}

async function gradientRefused(
  code: DlgErrorCode,
  words: readonly (string | RegExp)[],
  attempt: { model?: Model; x?: tf.Tensor; y?: readonly number[] | tf.Tensor; options?: TrainingOptions },
): Promise<void> {
  const x = 'x' in attempt ? attempt.x! : own(sample([1, 8]))
  const y = 'y' in attempt ? attempt.y! : [2]
  const error: unknown = await gradientsOf(attempt.model ?? model, x, y, { runtime, ...attempt.options }).then(
    (gradients) => {
      tf.dispose(gradients)
      return 'nothing was thrown'
    },
    (thrown) => thrown,
  )
  isError(error, code, words)
  expect(runtime.compiled).toBe(0)
}

function isError(error: unknown, code: DlgErrorCode, words: readonly (string | RegExp)[]): void {
  expect(error).toBeInstanceOf(DlgError)
  const { code: actual, message } = error as DlgError
  expect({ actual, message }).toMatchObject({ actual: code })
  for (const word of words) expect(message).toMatch(word)
}

it('the attack these tests spoil works', async () => {
  const leak = own(await deepLeakageFromGradients(model, shared, { runtime, iterations: 1, restarts: 1 }))
  // the objective, and the factor that would fit, once
  expect(runtime.compiled).toBe(2)
  expect(leak.evaluations).toBe(runtime.evaluated - 1)
})

describe('gradients', () => {
  const inOrder = () => NAMES.map((name) => shared[name])
  const spoilt = (name: string, tensor: Anything) => ({ shared: { ...shared, [name]: tensor } })

  it.each([null, undefined, 1, 'gradients'])('%j', (value) =>
    refused('invalid-gradients', ['must be a list or a map of tensors', value === null ? 'null' : typeof value], {
      shared: value as Anything,
    }),
  )

  it('one tensor', () =>
    refused('invalid-gradients', ['must be a list or a map of tensors, got one tensor'], {
      shared: own(tf.zeros([8, 12])) as Anything,
    }))

  it('too few in a list', () =>
    refused('invalid-gradients', ['3 gradients for 4 trained weights', "without one is 'b2' [4]"], {
      shared: inOrder().slice(0, 3),
    }))

  it('too many in a list', () =>
    refused('invalid-gradients', ['5 gradients for 4 trained weights'], { shared: [...inOrder(), shared.b2] }))

  it('none', () => refused('invalid-gradients', ['0 gradients for 4', "'w1' [8, 12]"], { shared: [] }))

  it('one of a map missing', () => {
    const { b1, ...others } = shared
    return refused('invalid-gradients', ["no gradient for weight 'b1' [12]"], { shared: others })
  })

  it('one of a map under another name', () => {
    const { b1, ...others } = shared
    return refused('invalid-gradients', ["no gradient for weight 'b1' [12]", "one named 'bias'"], {
      shared: { ...others, bias: b1 },
    })
  })

  it('one of a map too many', () =>
    refused('invalid-gradients', ["'w3' belongs to no trained weight", 'w1, b1, w2, b2'], spoilt('w3', shared.b1)))

  it('a frozen weight among them', async () => {
    const frozen = own(denseNet())
    frozen.layers[0].trainable = false
    const tensors = frozen.getWeights().map((w) => ({ shape: w.shape, data: new Float32Array(w.size) }))
    await refused('invalid-gradients', ['4 gradients for 2 trained weights'], { model: frozen, shared: tensors })
  })

  it('in another order', () =>
    refused('invalid-gradients', ["gradient of 'w1' has shape [12]", 'the weight has [8, 12]'], {
      shared: [shared.b1, shared.w1, shared.w2, shared.b2],
    }))

  it('another shape', () =>
    refused(
      'invalid-gradients',
      ["gradient of 'w1' has shape [12, 8]", 'the weight has [8, 12]'],
      spoilt('w1', { shape: [12, 8], data: shared.w1.data }),
    ))

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%d among the numbers', (value) => {
    const data = Float32Array.from(shared.b1.data)
    data[7] = value
    return refused(
      'invalid-gradients',
      [`gradient of 'b1' is ${value} at position 7`, 'must be finite'],
      spoilt('b1', { shape: [12], data }),
    )
  })

  it('a number that float32 does not hold', () =>
    refused(
      'invalid-gradients',
      ["gradient of 'b2' is 1e+200 at position 0, more than float32 holds"],
      spoilt('b2', { shape: [4], data: Float64Array.of(1e200, 0, 0, 0) }),
    ))

  it('NaN in a tensor', () =>
    refused(
      'invalid-gradients',
      ["gradient of 'b2' is NaN at position 0"],
      spoilt('b2', own(tf.fill([4], Number.NaN))),
    ))

  it.each(['int32', 'bool'] as const)('a tensor of dtype %s', (dtype) =>
    refused(
      'invalid-gradients',
      [`gradient of 'b2' has dtype ${dtype}`, 'float32 is needed'],
      spoilt('b2', own(tf.zeros([4], dtype))),
    ),
  )

  it('an array of integers', () =>
    refused(
      'invalid-gradients',
      ["gradient of 'b2' has data of Int32Array", 'Float32Array, Float64Array or number[] is needed'],
      spoilt('b2', { shape: [4], data: new Int32Array(4) }),
    ))

  it('too few numbers for the shape', () =>
    refused(
      'invalid-gradients',
      ["gradient of 'b2' has 3 numbers", 'shape [4] needs 4'],
      spoilt('b2', { shape: [4], data: [1, 2, 3] }),
    ))

  it('what are no numbers', () =>
    refused(
      'invalid-gradients',
      ["gradient of 'b2' is NaN at position 1"],
      spoilt('b2', { shape: [4], data: [1, '2', 3, 4] }),
    ))

  it.each([null, undefined, 5, [1, 2, 3, 4], { data: [1, 2, 3, 4] }])('%j as one of them', (value) =>
    refused('invalid-gradients', ["gradient of 'b2' must be a tensor or {shape, data}"], spoilt('b2', value)),
  )

  it('without data', () => refused('invalid-gradients', ["gradient of 'b2' has no data"], spoilt('b2', { shape: [4] })))

  it('a disposed tensor', () => {
    const tensor = tf.zeros([4])
    tensor.dispose()
    return refused('invalid-gradients', ["gradient of 'b2' is a disposed tensor"], spoilt('b2', tensor))
  })

  it('zeros only', () =>
    refused('invalid-gradients', ['every shared gradient is zero'], {
      shared: inOrder().map(({ shape, data }) => ({ shape, data: new Float32Array(data.length) })),
    }))
})

describe('model', () => {
  it.each([null, undefined, 1, 'lenet'])('%j', (value) =>
    refused('invalid-model', ['model must be a tf.LayersModel or {weights, apply, inputShape}', String(value)], {
      model: value as Anything,
    }),
  )

  it.each([{}, { apply: () => {} }, { weights: {} }])('%j', (value) =>
    refused('invalid-model', ['model must be a tf.LayersModel or {weights, apply, inputShape}'], {
      model: value as Anything,
    }),
  )

  it.each([undefined, 8, [8.5], [-1], [null], 'x'])('inputShape %j', (inputShape) =>
    refused('invalid-model', ["'two layers' needs inputShape", 'such as [32, 32, 3]'], {
      model: { ...model, inputShape } as Anything,
    }),
  )

  it('a weight that is no tensor', () =>
    refused('invalid-model', ["weight 'b1' of model 'two layers' must be a float32 tensor"], {
      model: functionalNet({ ...weights, b1: [0, 0, 0] as Anything }),
    }))

  it('a weight of integers', () =>
    refused('invalid-model', ["weight 'b1' of model 'two layers' must be a float32 tensor"], {
      model: functionalNet({ ...weights, b1: own(tf.zeros([12], 'int32')) }),
    }))

  it('apply() without a result', () =>
    refused('invalid-model', ["apply() of model 'two layers' must return a tensor"], {
      model: { ...model, apply: () => undefined as Anything },
    }))

  it('apply() with a promise', () =>
    refused('invalid-model', ["apply() of model 'two layers' must return a tensor, at once"], {
      model: { ...model, apply: (async (x: tf.Tensor) => x) as Anything },
    }))

  it('apply() without the batch', () =>
    refused('invalid-model', ["the output of model 'two layers' is []", 'for 1 sample it must be [1, …]'], {
      model: { ...model, apply: (x: tf.Tensor, w: tf.NamedTensorMap) => tf.mean(model.apply(x, w)) },
    }))

  it('apply() that throws of itself', async () => {
    const cause = new Error('of the caller')
    const apply = () => {
      throw cause
    }
    await refused('untraceable', ['cannot trace the forward pass: of the caller'], { model: { ...model, apply } })
    await expect(deepLeakageFromGradients({ ...model, apply }, shared, { runtime })).rejects.toMatchObject({ cause })
  })

  it('not built', () =>
    refused('invalid-model', ["model 'empty' is not built", 'inputShape'], { model: sequential({ name: 'empty' }) }))

  it('without trainable weights', () => {
    const frozen = own(denseNet())
    for (const layer of frozen.layers) layer.trainable = false
    return refused(
      'invalid-model',
      ["'tiny dense' has no trainable weights", 'what the client trains must be trainable'],
      {
        model: frozen,
        shared: [],
      },
    )
  })

  it('without weights', () =>
    refused('invalid-model', ["'two layers' has no trainable weights"], { model: functionalNet({}), shared: [] }))

  it('disposed', () => {
    const gone = denseNet()
    gone.dispose()
    return refused('invalid-model', ["of model 'tiny dense' is disposed"], { model: gone })
  })

  it('with a disposed weight', () => {
    weights.b1.dispose()
    return refused('invalid-model', ["weight 'b1' of model 'two layers' is disposed"], {})
  })

  it('with NaN among its weights', () => {
    const b1 = own(tf.tensor([0, 0, 0, Number.NaN, 0, 0, 0, 0, 0, 0, 0, 0]))
    return refused('invalid-model', ["weight 'b1' is NaN at position 3", 'must be finite'], {
      model: functionalNet({ ...weights, b1 }),
    })
  })

  it('with an open input shape', () => {
    const open = own(
      sequential({ name: 'open', layers: [layers.conv2d({ inputShape: [null, null, 1], filters: 2, kernelSize: 3 })] }),
    )
    return refused('invalid-model', ["model 'open' has an open input shape [null,null,null,1]", 'fixed sizes'], {
      model: open,
    })
  })

  it('that begins with an embedding', async () => {
    const tokens = own(sequential({ name: 'tokens' }))
    tokens.add(layers.embedding({ inputDim: 10, outputDim: 3, inputLength: 5 }))
    tokens.add(layers.flatten())
    tokens.add(layers.dense({ units: 4 }))
    const some = tokens.getWeights().map((w) => ({ shape: w.shape, data: new Float32Array(w.size).fill(0.1) }))
    await refused(
      'invalid-model',
      ["'tokens' does not depend on its input smoothly", 'token ids', 'attack the embedding output'],
      {
        model: tokens,
        shared: some,
      },
    )
  })

  it('with an operation that cannot be traced', () =>
    refused('untraceable', ['cannot trace the operation'], {
      model: { ...model, apply: (x: tf.Tensor, w: tf.NamedTensorMap) => tf.topk(model.apply(x, w), 4).values },
    }))

  it('that reads values while it runs', () =>
    refused('untraceable', ['cannot trace a read of values', 'dataSync'], {
      model: {
        ...model,
        apply: (x: tf.Tensor, w: tf.NamedTensorMap) =>
          x.dataSync()[0] > 0 ? model.apply(x, w) : tf.neg(model.apply(x, w)),
      },
    }))

  it('is as it was after every refusal', async () => {
    const net = own(denseNet())
    const before = net.getWeights().map((w) => [...w.dataSync()])
    await refused('invalid-gradients', [], { model: net })
    expect(net.getWeights().map((w) => [...w.dataSync()])).toEqual(before)
    expect(Object.hasOwn(net.weights[0], 'read')).toBe(false)
  })
})

describe('options', () => {
  it.each([null, 5, 'paper', []])('%j', (value) =>
    refused('invalid-option', ['options is', 'must be an object'], { options: value as Anything }),
  )

  const wrong: [Anything, ...(string | RegExp)[]][] = [
    [{ batchsize: 2 }, "no 'batchsize' in options", 'batchSize'],
    [{ budget: { seconds: 2 } }, "no 'seconds' in budget", 'evaluations, milliseconds'],
    [{ priors: { tv: 1 } }, "no 'tv' in priors", 'totalVariation, colorTotalVariation, spectral, norm, box'],
    [{ init: { x: [1] } }, "no 'x' in init", 'data, labels'],
    [{ init: { labels: [1] } }, 'init has no data'],
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2', null].map(
      (v) =>
        [{ batchSize: v }, `batchSize is ${typeof v === 'string' ? `'${v}'` : v}`, 'a whole number of at least 1'] as [
          Anything,
          string,
          string,
        ],
    ),
    ...['iterations', 'restarts'].flatMap((name) =>
      [0, 1.5, Number.NaN, '2', null].map(
        (v) => [{ [name]: v }, `${name} is `, 'a whole number of at least 1'] as [Anything, string, string],
      ),
    ),
    ...[1.5, Number.NaN, 2 ** 53, '2', null].map(
      (v) => [{ seed: v }, 'seed is ', 'a whole number'] as [Anything, string, string],
    ),
    ...[-1, 1, Number.NaN, '0', null].map(
      (v) => [{ tolerance: v }, 'tolerance is ', 'in [0, 1)'] as [Anything, string, string],
    ),
    [{ labels: 'guess' }, "labels is 'guess'", "'joint' or 'infer' or a list"],
    [{ labels: 2 }, 'labels is 2', "'joint' or 'infer' or a list"],
    [{ labels: null }, 'labels is null'],
    [{ labels: {} }, 'labels is an object', 'decide()'],
    [
      { distance: 'L2' },
      "distance is 'L2'",
      "'l2' or 'cosine' or 'balanced' or 'whitened' or an object with measure()",
    ],
    [{ distance: cosine }, 'distance is'],
    [{ distance: null }, 'distance is null'],
    [{ optimizer: 'sgd' }, "optimizer is 'sgd'", "'lbfgs' or 'adam' or an object with init() and step()"],
    [{ optimizer: adam }, 'optimizer is', 'init() and step()'],
    [{ optimizer: { init() {} } }, 'optimizer is an object', 'init() and step()'],
    ...[0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, '20', null, {}].flatMap(
      (patience): [Anything, ...string[]][] => [
        [{ patience }, 'patience is ', 'a whole number of at least 1 or Infinity'],
        [{ preset: 'paper', patience }, 'patience is ', 'a whole number of at least 1 or Infinity'],
        [{ optimizer: { ...adam(), patience } }, 'optimizer.patience is ', 'a whole number of at least 1 or Infinity'],
      ],
    ),
    [{ optimizer: { ...adam(), restart: 5 } }, 'optimizer.restart is 5', 'a function'],
    [
      { preset: 'fast' },
      "preset is 'fast'",
      "'robust' or 'homotopy' or 'attention' or 'inverting-gradients' or 'paper'",
    ],
    [{ preset: null }, 'preset is null'],
    [{ init: 'zeros' }, "init is 'zeros'", "'gray' or 'normal' or 'uniform' or {data, labels}"],
    [{ init: null }, 'init is null'],
    [{ init: [1, 2] }, 'init is [1, 2]', 'data, labels'],
    [{ priors: { norm: -1 } }, 'priors.norm is -1', 'a number of at least 0'],
    [{ priors: { norm: '1' } }, "priors.norm is '1'", 'a number of at least 0'],
    [{ priors: { norm: null } }, 'priors.norm is null', 'a number of at least 0'],
    [{ priors: { totalVariation: Number.NaN } }, 'priors.totalVariation is NaN'],
    [{ priors: { spectral: 1e-5 } }, 'spectral needs signals [batch, time, channels]', '[1,8]'],
    [{ priors: { totalVariation: 1e-5 } }, 'totalVariation needs images [batch, height, width, channels]', '[1,8]'],
    [{ priors: null }, 'priors is null', 'totalVariation, colorTotalVariation, spectral, norm, box'],
    [{ priors: 'norm' }, "priors is 'norm'", 'totalVariation, colorTotalVariation, spectral, norm, box'],
    [{ priors: [{ weight: 1 }] }, 'priors[0] is an object', 'measure() and a weight'],
    [{ priors: [null] }, 'priors[0] is null', 'measure() and a weight'],
    [{ priors: [{ weight: Number.NaN, measure() {} }] }, 'priors[0] is an object', 'weight of at least 0'],
    ...[[1, 0], [0, 0], [0], [0, Number.NaN], [0, Number.POSITIVE_INFINITY], 1, null].map(
      (v) => [{ dataRange: v }, 'dataRange is ', '[low, high] with low < high'] as [Anything, string, string],
    ),
    [{ budget: 100 }, 'budget is 100', 'evaluations, milliseconds'],
    [{ budget: null }, 'budget is null'],
    [{ budget: { evaluations: '5' } }, "budget.evaluations is '5'", 'a number above 0'],
    [{ budget: { milliseconds: Number.NaN } }, 'budget.milliseconds is NaN', 'a number above 0'],
    [{ signal: {} }, 'signal is an object', 'AbortSignal'],
    [{ signal: null }, 'signal is null', 'AbortSignal'],
    [{ onIteration: 'log' }, "onIteration is 'log'", 'a function'],
    [{ onIteration: null }, 'onIteration is null', 'a function'],
    [
      { criterion: 'hinge' },
      "criterion is 'hinge'",
      "'meanAbsoluteError' or 'huber' or an object with loss() or a function",
    ],
    [{ criterion: {} }, 'criterion is an object', 'loss()'],
    [{ output: 'softmax' }, "output is 'softmax'", "'auto' or 'logits' or 'probabilities'"],
    [{ reduction: 'none' }, "reduction is 'none'", "'mean' or 'sum'"],
    [{ training: 1 }, 'training is 1', 'true or false'],
    [{ runtime: 'gpu' }, "runtime is 'gpu'", "'tfjs' or 'reference' or a Runtime"],
    [{ runtime: {} }, 'runtime is an object', 'compile()'],
    [{ runtime: null }, 'runtime is null', 'compile()'],
  ]
  const vector = (): g.Node => g.constant(g.createGraph(), [1, 2, 3], [3])
  const plugs: [Anything, ...string[]][] = [
    [{ distance: { name: 'mine', measure: vector } }, "distance 'mine' gave a node of shape [3]", 'a scalar node'],
    [{ distance: { name: 'mine', measure() {} } }, "distance 'mine' gave undefined", 'a scalar node'],
    [
      { priors: [{ name: 'mine', weight: 1, measure: vector }] },
      "prior 'mine' gave a node of shape [3]",
      'a scalar node',
    ],
    [
      { criterion: { name: 'mine', loss: vector } },
      "criterion 'mine' gave a node of shape [3]",
      'must give [batch]: [1]',
    ],
    [{ criterion: { name: 'mine', loss() {} } }, "criterion 'mine' gave undefined", 'must give [batch]: [1]'],
  ]
  it.each([...wrong, ...plugs])('%j %s', (options, ...words) => refused('invalid-option', words, { options }))

  it.each([
    [{ evaluations: 0 }, 'budget.evaluations is 0'],
    [{ evaluations: -5 }, 'budget.evaluations is -5'],
    [{ milliseconds: 0 }, 'budget.milliseconds is 0'],
  ])('a spent budget %j', (budget, words) => refused('budget', [words, 'more than 0'], { options: { budget } }))

  it('an aborted signal', () =>
    refused('aborted', ['aborted before the attack began'], { options: { signal: AbortSignal.abort() } }))

  it('undefined keeps every default', async () => {
    const names = ['batchSize', 'labels', 'distance', 'optimizer', 'preset', 'seed', 'init', 'priors', 'patience']
    const more = [
      'dataRange',
      'tolerance',
      'budget',
      'signal',
      'onIteration',
      'criterion',
      'output',
      'reduction',
      'training',
    ]
    const nothing = Object.fromEntries([...names, ...more].map((name) => [name, undefined]))
    const options = { runtime, iterations: 1, restarts: 1 }
    const [with_, without] = [
      own(await deepLeakageFromGradients(model, shared, { ...options, ...nothing })),
      own(await deepLeakageFromGradients(model, shared, options)),
    ]
    expect(with_.history).toEqual(without.history)
  })
})

describe('labels', () => {
  it.each([
    [[4], 'label 4 is not a class index in [0, 4)'],
    [[-1], 'label -1 is not a class index in [0, 4)'],
    [[1.5], 'label 1.5 is not a class index in [0, 4)'],
    [[Number.NaN], 'label NaN is not a class index'],
    [['2'], 'label 2 is not a class index'],
    [[], '0 labels for a batch of 1'],
    [[1, 2], '2 labels for a batch of 1'],
  ])('%j', (labels, words) => refused('invalid-data', [words], { options: { labels: labels as Anything } }))

  it('too few targets of a strategy', () =>
    refused('labels', ['gave 3 target values', 'the output [1,4] needs 4'], {
      options: { labels: { name: 'mine', decide: () => ({ kind: 'targets', targets: new Float32Array(3) }) } },
    }))

  const infer = { options: { labels: 'infer' as const } }

  it("'infer' on soft labels", async () => {
    const [x, y] = [own(sample([1, 8])), own(tf.tensor([[0.5, 0, 0.5, 0]]))]
    const soft = plain(await gradientsOf(model, x, y, { runtime: 'reference' }))
    await refused('labels', ["labels: 'infer' cannot apply", 'labels were soft', "use labels: 'joint'"], {
      shared: soft,
      ...infer,
    })
  })

  it("'infer' on a batch whose last bias gradient no labels explain", async () => {
    const two = plain(await gradientsOf(model, own(sample([2, 8])), [1, 1], { runtime: 'reference' }))
    const last = Object.keys(two).at(-1)!
    const louder = { ...two, [last]: { ...two[last], data: Array.from(two[last].data, (v) => 5 * v) } }
    await refused('labels', ['1 class has a negative bias gradient for 2 samples', 'no counts of them explain'], {
      shared: louder,
      options: { labels: 'infer', batchSize: 2 },
    })
  })

  it("'infer' on a batch said to be one sample", async () => {
    const two = plain(await gradientsOf(model, own(sample([2, 8])), [1, 3], { runtime: 'reference' }))
    await refused('labels', ['more samples were averaged'], { shared: two, ...infer })
  })

  it("'infer' on another loss", async () => {
    const options = { criterion: 'meanSquaredError', runtime: 'reference' } as const
    const regression = plain(await gradientsOf(model, own(sample([1, 8])), [1], options))
    await refused('labels', ['those of a cross-entropy', 'the training loss is meanSquaredError'], {
      shared: regression,
      options: { labels: 'infer', criterion: 'meanSquaredError' },
    })
  })

  it("'infer' on an update with the opposite sign", () => {
    const update = Object.fromEntries(
      Object.entries(shared).map(([name, { shape, data }]) => [
        name,
        { shape, data: Float32Array.from(data, (v) => -0.1 * v) },
      ]),
    )
    return refused('labels', ['opposite sign', '−learningRate · gradient'], { shared: update, ...infer })
  })

  it("'infer' on a model without a dense end", async () => {
    const pooled = own(sequential({ name: 'pooled' }))
    pooled.add(layers.conv2d({ inputShape: [6, 6, 1], filters: 4, kernelSize: 3 }))
    pooled.add(layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }))
    const some = plain(await gradientsOf(pooled, own(sample([1, 6, 6, 1])), [1], { runtime: 'reference' }))
    await refused('labels', ['does not end in a dense layer'], { model: pooled, shared: some, ...infer })
  })

  it("'infer' on a frozen dense end", async () => {
    const frozen = own(denseNet())
    frozen.layers[1].trainable = false
    const some = plain(await gradientsOf(frozen, own(sample([1, 8])), [1], { runtime: 'reference' }))
    await refused('labels', ['does not end in a dense layer whose gradient was shared'], {
      model: frozen,
      shared: some,
      ...infer,
    })
  })
})

describe('init', () => {
  const data = new Float32Array(8)

  it.each([
    [{ data: new Float32Array(7) }, 'init.data has 7 numbers; [1,8] needs 8'],
    [{ data: 5 }, 'init.data'],
    [{ data: data.map(() => Number.NaN) }, /init\.data has NaN at position 0; every number must be finite/],
    [{ data, labels: [1, 2, 3] }, 'init.labels has 3 numbers; [1,4] needs 4'],
    [{ data, labels: null }, 'init.labels is null; it must be a tensor or a list of numbers'],
    [{ data: new BigInt64Array(8) }, /init\.data has NaN at position 0; every number must be finite/],
  ])('%o', (init, words) => refused('invalid-option', [words], { options: { init: init as Anything } }))

  it('labels that are not unknown', () =>
    refused('invalid-option', ["init.labels needs labels: 'joint'"], {
      options: { labels: [2], init: { data, labels: [1, 2, 3, 4] } },
    }))

  it('a disposed tensor', () => {
    const gone = tf.zeros([1, 8])
    gone.dispose()
    return refused('invalid-option', ['init.data is a disposed tensor'], { options: { init: { data: gone } } })
  })
})

describe('gradientsOf', () => {
  it.each([null, undefined, 1, [[1, 2]]])('data %j', (x) =>
    gradientRefused('invalid-data', ['data must be a tf.Tensor'], { x: x as Anything }),
  )

  it('data of another shape', () =>
    gradientRefused('invalid-data', ['data has shape [1,7]', 'the model needs [batch, 8]'], {
      x: own(tf.zeros([1, 7])),
    }))

  it('data without a batch axis', () =>
    gradientRefused('invalid-data', ['data has shape [8]', 'the model needs [batch, 8]'], { x: own(tf.zeros([8])) }))

  it('no samples', () => gradientRefused('invalid-data', ['data has shape [0,8]'], { x: own(tf.zeros([0, 8])), y: [] }))

  it('integers', () =>
    gradientRefused('invalid-data', ['data has dtype int32', 'float32 is needed'], {
      x: own(tf.zeros([1, 8], 'int32')),
    }))

  it('NaN', () =>
    gradientRefused('invalid-data', ['data has NaN at position 0', 'finite'], { x: own(tf.fill([1, 8], Number.NaN)) }))

  it('disposed data', () => {
    const x = sample([1, 8])
    x.dispose()
    return gradientRefused('invalid-data', ['data is a disposed tensor'], { x })
  })

  it.each([null, undefined, 2])('labels %j', (y) =>
    gradientRefused('invalid-data', ['labels must be a list of class indices'], { y: y as Anything }),
  )

  it.each([
    [[4], 'label 4 is not a class index in [0, 4)'],
    [[1, 2], '2 labels for a batch of 1'],
  ])('labels %j', (y, words) => gradientRefused('invalid-data', [words], { y }))

  it('targets of another shape', () =>
    gradientRefused('invalid-data', ['targets have shape [4]', "the model's output has [1,4]"], {
      y: own(tf.zeros([4])),
    }))

  it('targets that are not finite', () =>
    gradientRefused('invalid-data', ['targets has Infinity at position 0'], {
      y: own(tf.fill([1, 4], Number.POSITIVE_INFINITY)),
    }))

  it('targets of bigints', () =>
    gradientRefused('invalid-data', ['targets have the bigint 0 at position 0; they must be numbers'], {
      y: { targets: { shape: [1, 4], data: new BigInt64Array(4) } } as Anything,
    }))

  it('disposed targets', () => {
    const y = tf.zeros([1, 4])
    y.dispose()
    return gradientRefused('invalid-data', ['targets are a disposed tensor'], { y })
  })

  it('options of the attack', () =>
    gradientRefused(
      'invalid-option',
      ["no 'labels' in options", 'criterion, lossWeights, output, reduction, training, runtime'],
      {
        options: { labels: [1] } as Anything,
      },
    ))

  it('no model', () => gradientRefused('invalid-model', ['model must be'], { model: 3 as Anything }))

  it('a model that cannot be traced', () =>
    gradientRefused('untraceable', ['cannot trace'], {
      model: { ...model, apply: (x: tf.Tensor, w: tf.NamedTensorMap) => tf.topk(model.apply(x, w), 4).values },
    }))

  it('class indices for an output that is no list of scores', () => {
    const net = own(convNet())
    const body = own(sequential({ name: 'body', layers: [net.layers[0]] }))
    return gradientRefused('invalid-data', ['class indices need an output [batch, classes]', '[1,4,4,4]'], {
      model: body,
      x: own(sample([1, 6, 6, 1])),
    })
  })
})

it('a batch whose activations fit no memory is refused before any of them is made', async () => {
  const model = sequential({
    layers: [
      layers.conv2d({ inputShape: [6, 6, 1], filters: 64, kernelSize: 3, padding: 'same', activation: 'sigmoid' }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
  })
  const x = sample([1, 6, 6, 1])
  const shared = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
  const before = process.memoryUsage.rss()
  await expect(deepLeakageFromGradients(model, shared, { batchSize: 1_500_000 })).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringMatching(
      /^batchSize is 1500000; an evaluation would hold .* numbers at once, and at most 2\.1e\+9/,
    ),
  })
  expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 30)
  x.dispose()
  model.dispose()
})
