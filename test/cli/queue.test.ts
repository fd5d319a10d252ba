import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as rest } from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseJournal, type TrialRecord } from '../../src/audit'
import { announce, isOver, withdraw } from '../../src/cli/audit/queue/announced'
import { recordOf, returned } from '../../src/cli/audit/queue/returned'
import { writeNpz } from '../../src/io'
import { sample, withUniformWeights } from '../attacks/matching/tiny'
import { writeModel } from './model-files'
import { dlg, scratch, spawnDlg } from './terminal'

const folder = scratch()
const config = {
  model: 'model.json',
  data: { x: 'batch.npz', labels: [0, 1] },
  attacks: ['label-inference', 'dense-inversion', 'isolated-inputs'],
  defences: ['none', { quantised: 'float16' }],
  seed: 1,
}

beforeEach(async () => {
  await tf.setBackend('cpu')
  const model = sequential()
  model.add(layers.dense({ units: 12, activation: 'sigmoid', inputShape: [6] }))
  model.add(layers.dense({ units: 3 }))
  await writeModel(withUniformWeights(model), folder.at('model.json'))
  model.dispose()
  const x = sample([2, 6])
  writeFileSync(
    folder.at('batch.npz'),
    writeNpz(new Map([['x', { shape: x.shape, data: x.dataSync() as Float32Array }]])),
  )
  x.dispose()
  writeFileSync(folder.at('audit.json'), JSON.stringify(config))
})

const audit = (out: string, ...argv: string[]) =>
  dlg(['audit', folder.at('audit.json'), '--out', folder.at(out), ...argv])
const recordsOf = (out: string) => parseJournal(readFileSync(folder.at(`${out}/run.jsonl`), 'utf8')).records
const fixed = (records: readonly TrialRecord[]) =>
  records.map(({ milliseconds: _, ...record }) => JSON.stringify(record)).sort()

/** Only a machine without the binary skips these: CI installs it. */
const there = spawnSync('redis-server', ['--version']).status === 0
describe.skipIf(!there)(`an audit at a queue (needs redis-server${there ? '' : ', which is not installed'})`, () => {
  let server: ChildProcess
  let url: string

  beforeEach(async () => {
    const listener = createServer()
    const port = await new Promise<number>((resolve) =>
      listener.listen(0, '127.0.0.1', () => {
        const address = listener.address() as { port: number }
        listener.close(() => resolve(address.port))
      }),
    )
    url = `redis://127.0.0.1:${port}`
    const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder.at('.')]
    server = spawn('redis-server', options, { stdio: 'ignore' })
    await ask((redis) => redis.ping())
  })
  afterEach(() => void server.kill('SIGKILL'))

  async function ask<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
    redis.on('error', () => {})
    try {
      return await work(redis)
    } finally {
      redis.disconnect()
    }
  }

  it('has the records of one without, which a worker computed; another audit is refused by name', async () => {
    await audit('alone', '--concurrency', '1')
    const name = ['worker', folder.at('audit.json'), '--queue', url, '--name', 'anna', '--concurrency', '1']
    const worker = spawnDlg(name)
    const queued = audit('queued', '--queue', url)
    writeFileSync(folder.at('other.json'), JSON.stringify({ ...config, seed: 2 }))
    await vi.waitFor(async () => expect(await ask((redis) => redis.smembers('dlg:audits'))).toHaveLength(1), 10_000)
    const other = await dlg(['worker', folder.at('other.json'), '--queue', url])
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringMatching(/other\.json is not the audit that waits at redis:\/\/127.*audit\.json\): its model, data/),
    ])
    const { code, stderr, stdout } = await queued
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^18 trials in /)])
    expect(stderr).toContain(`the trials wait at ${url}; start workers: dlg worker `)
    expect(stderr).toMatch(/no defence · dense-inversion: proven: .* · anna\n/)
    expect(fixed(recordsOf('queued'))).toEqual(fixed(recordsOf('alone')))
    expect(existsSync(folder.at(`queued/${recordsOf('queued').find(({ found }) => found)!.found!.file}`))).toBe(true)
    expect(await worker).toMatchObject({ code: 0, stdout: expect.stringMatching(/trials by anna/) })
    expect(await ask((redis) => redis.keys('*'))).toEqual([])
  })

  it('ends with 2 and one line where the queue is gone, refused or another’s, and the run goes on', async () => {
    const running = audit('run', '--queue', url, '--patience', '1')
    await vi.waitFor(async () => expect(await ask((redis) => redis.smembers('dlg:audits'))).toHaveLength(1), 10_000)
    server.kill('SIGKILL')
    const gone = await running
    expect([gone.code, gone.stderr.trim().split('\n').at(-1)]).toEqual([
      2,
      expect.stringMatching(
        /^dlg: the queue redis:\S+ is gone for more than 1 s: .*; 0 of 18 trials are in .*run\.jsonl/,
      ),
    ])
    const refused = await audit('run', '--queue', url.replace('//', '//user:secret@'))
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/cannot be used: connect ECONNREFUSED/)])
    expect(refused.stderr).not.toContain('secret')
    expect((await audit('run', '--concurrency', '1')).code).toBe(0)
    expect(recordsOf('run')).toHaveLength(18)
  })

  it('obeys Ctrl-C while the queue is gone, as its workers do', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const gone = ['--queue', url, '--patience', '1000']
    const running = dlg(['audit', folder.at('audit.json'), '--out', folder.at('run'), ...gone], { signal })
    await vi.waitFor(async () => expect(await ask((redis) => redis.smembers('dlg:audits'))).toHaveLength(1), 10_000)
    server.kill('SIGKILL')
    // it has seen that the queue is gone, and waits
    await rest(600)
    const worker = dlg(['worker', folder.at('audit.json'), ...gone], { signal })
    expect(await worker).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/cannot be used: connect ECONNREFUSED/),
    })
    controller.abort()
    expect(await running).toMatchObject({ code: 130, stderr: expect.stringContaining('0 of 18 trials are in') })
  })

  it('lets a worker go that waits for a queue that is gone', async () => {
    const controller = new AbortController()
    const argv = ['worker', folder.at('audit.json'), '--queue', url, '--patience', '1000']
    const worker = dlg(argv, { signal: controller.signal })
    await rest(1000)
    server.kill('SIGKILL')
    await rest(600)
    controller.abort()
    expect((await worker).code).toBe(130)
  })

  it('is over for a worker 3 s after it is taken back, and 10 s after its signs of life end', async () => {
    const about = { config: 'audit.json', version: '1', overrides: {}, redact: false }
    const own = { ...about, plan: 'p', owner: 'o' }
    vi.useFakeTimers({ toFake: ['Date'], now: 0 })
    try {
      await ask(async (redis) => {
        const over = isOver(redis, 'p')
        const at = (seconds: number) => {
          vi.setSystemTime(1000 * seconds)
          return over()
        }
        await announce(redis, own)
        expect(await at(0)).toBe(false)
        await redis.del('dlg:audit:p')
        expect([await at(1), await at(10.9)]).toEqual([false, false])
        // another process goes on with it
        expect(await announce(redis, own)).toBe('lost')
        expect(await at(12)).toBe(false)
        await redis.del('dlg:audit:p')
        expect([await at(13), await at(22.9), await at(23)]).toEqual([false, false, true])
        await announce(redis, own)
        expect(await at(24)).toBe(false)
        await withdraw(redis, own)
        expect([await at(25), await at(28), await at(28.4)]).toEqual([false, false, true])
      })
    } finally {
      vi.useRealTimers()
    }
  })

  it('is left in the queue by Ctrl-C, and says so', async () => {
    const controller = new AbortController()
    const argv = ['audit', folder.at('audit.json'), '--out', folder.at('run'), '--queue', url]
    const running = dlg(argv, { signal: controller.signal })
    await vi.waitFor(async () => expect(await ask((redis) => redis.smembers('dlg:audits'))).toHaveLength(1), 10_000)
    controller.abort()
    expect(await running).toMatchObject({ code: 130, stderr: expect.stringContaining('0 of 18 trials') })
    // what is queued stays for workers: one trial of each chain, and all of the control's
    const [plan] = (await ask((redis) => redis.keys('dlg:*:wait'))).map((key) => key.split(':')[1])
    expect(await ask((redis) => redis.llen(`dlg:${plan}:wait`))).toBe(10)
    expect(await ask((redis) => redis.exists(`dlg:audit:${plan}`))).toBe(0)
    await rest(0)
  })
})

describe('dlg audit --queue and dlg worker', () => {
  it('say which packages they need', async () => {
    vi.doMock('ioredis', () => {
      throw new Error('not found')
    })
    try {
      const { code, stderr } = await audit('run', '--queue', 'redis://localhost:1')
      expect([code, stderr]).toEqual([
        2,
        'dlg: --queue needs ioredis, which cannot be loaded; install it with: npm install bullmq@6 ioredis@5\n',
      ])
      expect(existsSync(folder.at('run'))).toBe(false)
    } finally {
      vi.doUnmock('ioredis')
    }
  })

  it.each([
    [['audit', 'audit.json', '--queue', 'localhost:6379'], '--queue is no address of a Redis'],
    [['audit', 'audit.json', '--queue', 'redis://h', '--shard', '1/2'], '--queue and --shard are given'],
    [['audit', 'audit.json', '--queue', 'redis://h', '--patience', '0'], "--patience is '0'"],
    [['worker', 'audit.json'], 'no --queue given'],
    [['worker', '--queue', 'redis://h'], '0 audit files given'],
  ])('refuse %j', async (argv, words) => {
    const { code, stderr } = await dlg(argv.map((word) => (word === 'audit.json' ? folder.at(word) : word)))
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
  })

  it('take from the queue only what is a record of the trial', () => {
    const id = { key: 'k', client: 0, samples: ['a'], attack: 'x', defence: 'none', description: 'no defence' }
    const record: TrialRecord = {
      ...{ type: 'trial', ...id, attacker: 'adaptive', status: 'failed', reason: 'r' },
      ...{ evidence: {}, evaluations: 1, milliseconds: 1 },
      found: { shape: [1, 2], data: Float32Array.of(1.5, Number.NaN) },
    }
    const sent = JSON.parse(JSON.stringify(returned('w', record, false)))
    expect(recordOf(sent, record)).toEqual({ worker: 'w', record })
    expect(recordOf(sent, { ...record, key: 'l' })).toBeUndefined()
    expect(recordOf({ ...sent, found: sent.found.slice(8) }, record)).toBeUndefined()
    expect(recordOf({ ...sent, record: { ...sent.record, status: 'safe' } }, record)).toBeUndefined()
    expect(recordOf('nonsense', record)).toBeUndefined()
    expect(JSON.stringify(returned('w', record, true))).not.toContain('found')
  })
})
