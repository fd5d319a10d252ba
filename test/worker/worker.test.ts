import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, describe, expect, it } from 'vitest'
import { adam, checkModel, DlgError, deepLeakage, gradientsOf, type IterationEvent } from '../../src'
import { type AttackName, type AttackProgress, attack, type Control, targetOf } from '../../src/attacks'
import { connect, type Served, serve } from '../../src/worker'
import { pack } from '../../src/worker/pack'
import { convNet, functionalNet, numbers, sample, withUniformWeights } from '../attacks/matching/tiny'
import { ownership } from '../tensors'

/** Everything that crosses goes through structured clones, as between two threads; a browser's own worker is tested by build/page.mjs. */
const own = ownership()

const open: MessagePort[] = []
afterEach(() => {
  for (const port of open.splice(0)) port.close()
})

function across<Functions extends Served>(functions: Functions | Promise<Functions>) {
  const { port1, port2 } = new MessageChannel()
  open.push(port1, port2)
  serve(functions, port2)
  return connect<Functions>(port1)
}

const quick = { seed: 3, restarts: 2, iterations: 40, labels: [1], runtime: 'tfjs', certainty: false } as const

describe('an attack in a worker', () => {
  it('is the same call with the same result, progress and tensors', async () => {
    const model = own(convNet())
    const secret = own(sample([1, 6, 6, 1]))
    const far = across({ deepLeakage, gradientsOf })
    const shared = await far.gradientsOf(model, secret, [1], { runtime: 'tfjs' })
    const here = await gradientsOf(model, secret, [1], { runtime: 'tfjs' })
    for (const tensor of [...Object.values(shared), ...Object.values(here)]) own(tensor)
    expect(Object.keys(shared)).toEqual(Object.keys(here))
    for (const [name, tensor] of Object.entries(here)) expect(shared[name].dataSync()).toEqual(tensor.dataSync())

    const events: IterationEvent[] = []
    const leak = own(await far.deepLeakage(model, shared, { ...quick, onIteration: (event) => events.push(event) }))
    const same = own(await deepLeakage(model, here, quick))
    expect(leak.status).toBe(same.status)
    expect(leak.evaluations).toBe(same.evaluations)
    expect(leak.history).toEqual(same.history)
    expect(leak.data).toBeInstanceOf(tf.Tensor)
    expect(leak.data.dataSync()).toEqual(same.data.dataSync())
    // one tensor stays one tensor
    expect(leak.inputs[Object.keys(leak.inputs)[0]]).toBe(leak.data)
    expect(leak.trials[leak.restart].data).toBe(leak.data)
    expect(events.length).toBeGreaterThan(1)
    expect(events[0].iteration).toBe(0)
    expect(events[0].data()).toBeInstanceOf(Float32Array)
    expect(events[0].data().length).toBe(36)
  })

  it('goes by the same names of weights, whichever model was there before, and keeps weights that are not trained', async () => {
    const normed = sequential({
      layers: [
        layers.dense({ inputShape: [4], units: 3, name: 'first' }),
        layers.batchNormalization({ name: 'norm', trainable: false }),
        layers.dense({ units: 2, activation: 'softmax', name: 'last' }),
      ],
    })
    own(withUniformWeights(normed))
    const far = across({
      numbersOf: (model: typeof normed) =>
        model.weights.map(({ name, trainable }, i) => [name, trainable, Array.from(model.getWeights()[i].dataSync())]),
    })
    const expected = normed.weights.map(({ name, trainable }, i) => [
      ...[name, trainable, Array.from(normed.getWeights()[i].dataSync())],
    ])
    expect(await far.numbersOf(normed)).toEqual(expected)
    expect(await far.numbersOf(normed)).toEqual(expected)
  })

  it('ends at an abort with the best so far', async () => {
    const model = own(convNet())
    const secret = own(sample([1, 6, 6, 1]))
    const shared = await gradientsOf(model, secret, [1])
    for (const tensor of Object.values(shared)) own(tensor)
    const far = across({ deepLeakage })
    const controller = new AbortController()
    let heard = 0
    const options = { ...quick, restarts: 100, tolerance: 0, iterations: 1e6, patience: 1e6, signal: controller.signal }
    const leak = own(
      await far.deepLeakage(model, shared, {
        ...options,
        onIteration: () => ++heard === 3 && controller.abort(),
      }),
    )
    expect(leak.status).toBe('aborted')
    await expect(far.deepLeakage(model, shared, options)).rejects.toMatchObject({ code: 'aborted' })
    // a signal that is aborted while the call is on its way
    const late = new AbortController()
    const seen = across({
      aborted: async (signal: AbortSignal) => new Promise((done) => (signal.onabort = () => done(true))),
    })
    const waiting = seen.aborted(late.signal)
    late.abort()
    expect(await waiting).toBe(true)
  })

  it('any attack of the registry, served by a function that opens the target', async () => {
    const model = own(convNet())
    const secret = own(sample([1, 6, 6, 1]))
    const shared = await gradientsOf(model, secret, [2])
    for (const tensor of Object.values(shared)) own(tensor)
    const told: AttackProgress[] = []
    const far = across({
      run: async (which: AttackName, of: typeof model, gradients: typeof shared, control: Control) =>
        attack(which, await targetOf(of, gradients), which === 'gradient-matching' ? { iterations: 3 } : {}, control),
    })
    const control: Control = { seed: 1, onProgress: (progress) => told.push(progress) }
    expect(own(await far.run('label-inference', model, shared, control)).found.labels).toEqual([2])
    const searched = own(await far.run('gradient-matching', model, shared, control))
    expect(searched.work.seed).toBe(1)
    // the search tells where it is, with the best data so far
    const last = told[told.length - 1]
    expect(last.attack).toBe('gradient-matching')
    expect(last.relativeLoss).toBeLessThanOrEqual(1)
    expect(last.evaluations).toBeGreaterThan(0)
    expect(last.data!().length).toBe(36)
  })

  it('what a listener throws ends the attack, and is thrown here', async () => {
    const model = own(convNet())
    const shared = await gradientsOf(model, own(sample([1, 6, 6, 1])), [1])
    for (const tensor of Object.values(shared)) own(tensor)
    const mine = new RangeError('enough')
    const far = across({ deepLeakage })
    const failing = far.deepLeakage(model, shared, {
      ...quick,
      onIteration() {
        throw mine
      },
    })
    await expect(failing).rejects.toBe(mine)
  })
})

describe('what cannot cross is refused by name', () => {
  it('errors of the worker are errors here, with their code', async () => {
    const layered = own(convNet())
    const far = across({
      deepLeakage,
      checkModel,
      fails: () => {
        throw new TypeError('mine')
      },
    })
    const error = await far.deepLeakage(layered, [] as never).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(DlgError)
    expect((error as DlgError).code).toBe('invalid-gradients')
    await expect(far.fails()).rejects.toMatchObject({ name: 'TypeError', message: 'mine' })
    await expect((far as Served).other()).rejects.toMatchObject({
      code: 'invalid-option',
      message: "the worker serves no 'other'; it serves deepLeakage, checkModel, fails",
    })
  })

  it('functions that are no listeners', async () => {
    const layered = own(convNet())
    const model = functionalNet()
    const far = across({ deepLeakage })
    await expect(far.deepLeakage(model, [] as never)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/^arguments\.0\.apply is a function, which cannot cross/),
    })
    await expect(far.deepLeakage(layered, [], { optimizer: adam() })).rejects.toThrow(/arguments\.2\.optimizer\.init/)
    const back = across({ make: () => ({ work: () => 1 }) })
    await expect(back.make()).rejects.toMatchObject({
      code: 'invalid-option',
      message:
        'result.work is a function, which cannot cross to or from a worker; only dispose() can. Serve a function that returns what you need without it, such as the records of an audit',
    })
    tf.dispose(Object.values(model.weights))
  })

  it('a disposed tensor, a model that is not built, a reserved key', async () => {
    const far = across({ echo: (value: unknown) => value })
    const gone = tf.scalar(1)
    gone.dispose()
    await expect(far.echo(gone)).rejects.toMatchObject({ code: 'invalid-data' })
    await expect(far.echo(sequential())).rejects.toMatchObject({ code: 'invalid-model' })
    await expect(far.echo({ 'dlg-ts kind': 1 })).rejects.toMatchObject({ code: 'invalid-data' })
    await expect(far.echo(JSON.parse('{"a": 1, "__proto__": {"b": 2}}'))).rejects.toThrow(
      /has a key '__proto__', which no object that crosses may have/,
    )
  })

  it('what is no worker, and a thread that is none', () => {
    expect(() => connect('worker' as never)).toThrow(/the worker is 'worker'; it must be a Web Worker/)
    expect(() => serve({ deepLeakage })).toThrow(/must run inside a Web Worker/)
    expect(() => serve({}, new MessageChannel().port1)).toThrow(/no function was given/)
    expect(() => serve({ a: 1 } as never)).toThrow(/have 1 as 'a'/)
  })

  it('a worker whose script cannot be loaded', async () => {
    const broken = new EventTarget() as EventTarget & { postMessage(): void }
    broken.postMessage = () => {}
    const call = connect<{ work(): number }>(broken as never).work()
    broken.dispatchEvent(new Event('error'))
    await expect(call).rejects.toMatchObject({ code: 'runtime', message: expect.stringMatching(/cannot be loaded/) })
  })
})

describe('values', () => {
  it('cross as they are: lists, maps, numbers that are not finite, tensors of every type, objects that hold themselves', async () => {
    const far = across(Promise.resolve({ echo: (value: unknown) => value }))
    const tensors = [
      tf.tensor(numbers(6, 1), [2, 3]),
      tf.tensor([1, 2], [2], 'int32'),
      tf.tensor([true, false], [2], 'bool'),
      tf.tensor(['a', 'b'], [2], 'string'),
    ].map((t) => own(t))
    const value = {
      list: [1, Number.NaN, undefined, null, -0],
      map: new Map([['w', tensors[0]]]),
      data: new Float32Array([1, 2]),
      tensors,
    }
    const crossed = (await far.echo(value)) as typeof value
    for (const tensor of crossed.tensors) own(tensor)
    expect(crossed.list).toEqual(value.list)
    expect(crossed.data).toEqual(value.data)
    expect(crossed.map.get('w')).toBe(crossed.tensors[0])
    for (const [i, tensor] of tensors.entries()) {
      expect(crossed.tensors[i].dtype).toBe(tensor.dtype)
      expect(crossed.tensors[i].shape).toEqual(tensor.shape)
      expect(Array.from(crossed.tensors[i].dataSync())).toEqual(Array.from(tensor.dataSync()))
    }
    const self: { self?: unknown } = {}
    self.self = self
    const around = (await far.echo(self)) as typeof self
    expect(around.self).toBe(around)
    const map = new Map<string, unknown>()
    const set = new Set<unknown>([map])
    map.set('set', set)
    const ring = (await far.echo(map)) as typeof map
    expect([...(ring.get('set') as typeof set)]).toEqual([ring])
    const members = (await far.echo(new Set([tensors[0], 'a']))) as Set<unknown>
    const [first, second] = members
    expect([own(first as tf.Tensor).dataSync(), second]).toEqual([tensors[0].dataSync(), 'a'])
    expect(await far.echo(undefined)).toBe(undefined)
  })
})

it('a listener may return anything', async () => {
  const far = across({ tell: async ({ onTold }: { onTold(words: string): unknown }) => void (await onTold('a')) })
  const heard: string[] = []
  await far.tell({ onTold: (words) => [heard.push(words), () => words] })
  expect(heard).toEqual(['a'])
})

it('a view takes its own numbers along, and not the whole buffer', async () => {
  const buffer = new ArrayBuffer(1e8)
  const view = new Float32Array(buffer, 4e7, 3).fill(2)
  const held = own(tf.tensor1d(view))
  const values = [view, view, new DataView(buffer, 4e7, 8), new Set([new Uint8Array(buffer, 4e7, 4)]), held]
  for (const content of ['arguments', 'result'] as const) {
    const { value, ready } = pack(content, values)
    await ready
    const posted: number[] = []
    const look = (part: unknown): void => {
      if (ArrayBuffer.isView(part)) posted.push(part.buffer.byteLength)
      else if (typeof part === 'object' && part !== null) Object.values(part).forEach(look)
    }
    look(value)
    expect(posted).toEqual([12, 12, 8, 4, 12])
    expect((value as unknown[])[0]).toBe((value as unknown[])[1])
    expect((value as unknown[])[0]).toEqual(new Float32Array([2, 2, 2]))
  }
  const { value } = pack('event', [{ data: () => view, bytes: Buffer.from('abc') }])
  const [{ data, bytes }] = value as [{ data: { value: Float32Array }; bytes: Uint8Array }]
  expect([data.value.buffer.byteLength, bytes]).toEqual([12, new Uint8Array([97, 98, 99])])
  const shared = new Uint8Array(new SharedArrayBuffer(8), 4)
  expect(pack('arguments', [shared]).value).toEqual([shared])
  expect((pack('arguments', [shared]).value as unknown[])[0]).toBe(shared)
})

describe('what no thread can clone', () => {
  class Own {
    readonly value = 1
  }
  const detached = new Float32Array(4)
  structuredClone(detached, { transfer: [detached.buffer] })

  it.each<[words: RegExp, value: unknown]>([
    [/arguments\.0\.part is a symbol/, { part: Symbol('own') }],
    [/arguments\.0 is an object of the class Promise/, Promise.resolve()],
    [/arguments\.0\.list\.0 is an object of the class Own/, { list: [new Own()] }],
    [/arguments\.0\.entry 0 is a function/, new Set([() => 1])],
    [/arguments\.0\.entry 1 is an object of the class Own/, new Set([1, new Own()])],
    [/arguments\.0 has the key a function/, new Map([[() => 1, 1]])],
    [/the arguments cannot cross to the worker: .*detached/, detached],
  ])('is refused by name: %s', async (words, value) => {
    const error = await across({ echo: (given: unknown) => given })
      .echo(value)
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(DlgError)
    expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringMatching(words) })
  })

  it('in a result too, and what can be cloned crosses', async () => {
    const far = across({
      own: () => ({ own: new Own() }),
      signal: () => new AbortController().signal,
      set: () => new Set([1]),
    })
    await expect(far.own()).rejects.toThrow(/result\.own is an object of the class Own/)
    await expect(far.signal()).rejects.toThrow(/result is an object of the class AbortSignal/)
    expect(await far.set()).toEqual(new Set([1]))
  })
})
