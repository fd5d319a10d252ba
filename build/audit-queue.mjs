/**
 * An audit whose trials workers run, by the installed package with bullmq, ioredis and redis-server: in the folder of a project that has
 * them,
 *
 *   node build/audit-queue.mjs
 *
 * A worker is killed in the middle of a trial, Redis is killed and started again, the process that writes the run is killed and started
 * again, and a worker comes later. The run ends with the same records as one without a queue, each of them once.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { dlg, linesOf, recordsOf, start, TRIALS, wholeRun, writeAudit } from './audit-runs.mjs'

const CLIENTS = 3

writeAudit(CLIENTS)
await wholeRun('whole')
const whole = recordsOf('whole')
if (whole.length !== CLIENTS * TRIALS) throw new Error(`there are ${whole.length} records, and not ${CLIENTS * TRIALS}`)

const { Redis } = createRequire(join(process.cwd(), 'package.json'))('ioredis')
const port = await freePort()
const url = `redis://127.0.0.1:${port}`
rmSync('redis', { recursive: true, force: true })
rmSync('queued', { recursive: true, force: true })
mkdirSync('redis')

const running = new Set()
let server = await redis()
const worker = (name) => follow(start(['worker', 'audit.mjs', '--queue', url, '--name', name, '--concurrency', '1']))
const coordinator = () => follow(start(['audit', 'audit.mjs', '--out', 'queued', '--queue', url]))
const written = () => (existsSync('queued/run.jsonl') ? linesOf('queued').length : 0)
const told = []
try {
  let audit = coordinator()
  const [first, second] = [worker('first'), worker('second')]
  const held = await until('both workers are in the middle of a trial', async () => {
    const jobs = written() >= 5 ? await active() : []
    return jobs.length === 2 && jobs
  })
  first.child.kill('SIGKILL')
  told.push(`worker killed after ${written()} records`)
  await until('more records', () => written() >= 12)
  server.kill('SIGKILL')
  told.push(`Redis killed after ${written()}`)
  await rest(1000)
  server = await redis()
  const third = worker('third')
  await until('more records', () => written() >= 20)
  audit.child.kill('SIGKILL')
  told.push(`dlg audit killed after ${written()}`)
  await endOf(audit)
  audit = coordinator()
  for (const process of [audit, second, third]) {
    const { code, out } = await endOf(process)
    if (code !== 0) throw new Error(`a process ended with ${code}: ${out}`)
  }
  const keys = linesOf('queued').map((line) => JSON.parse(line).key)
  if (new Set(keys).size !== keys.length) throw new Error('a trial is in the run twice')
  if (recordsOf('queued').join() !== whole.join()) throw new Error('the run through the queue has other records')
  if (!held.every((key) => keys.includes(key))) throw new Error('the trial of the killed worker is lost')
  const report = await dlg(['report', 'queued', '--format', 'json,junit'])
  if (report.code !== 1 || !report.out.includes(`gives away the data of ${CLIENTS} of ${CLIENTS} clients`))
    throw new Error(`dlg report ended with ${report.code}: ${report.out}`)
  const client = new Redis(url)
  const left = await client.keys('*')
  client.disconnect()
  if (left.length > 0) throw new Error(`Redis still holds ${left.join(', ')}`)

  // a queue that goes away ends the audit, and the next one goes on without a queue
  rmSync('gone', { recursive: true, force: true })
  const gone = follow(start(['audit', 'audit.mjs', '--out', 'gone', '--queue', url, '--patience', '1']))
  const helper = follow(start(['worker', 'audit.mjs', '--queue', url, '--name', 'helper', '--patience', '1']))
  await until('some records', () => existsSync('gone/run.jsonl') && linesOf('gone').length >= 5)
  server.kill('SIGKILL')
  for (const process of [gone, helper]) {
    const { code, out } = await endOf(process)
    if (code !== 2 || !out.includes('is gone for more than 1 s'))
      throw new Error(`without Redis a process ended with ${code}: ${out}`)
  }
  const kept = linesOf('gone').length
  const { code, out } = await dlg(['audit', 'audit.mjs', '--out', 'gone'])
  if (code !== 0 || recordsOf('gone').join() !== whole.join()) throw new Error(`the run does not go on: ${out}`)
  told.push(`Redis gone for good after ${kept} records, which stayed`)
} finally {
  for (const { child } of running) child.kill('SIGKILL')
  server.kill('SIGKILL')
}
console.log(`${whole.length} records through a queue; ${told.join(', ')}`)

function follow(process) {
  running.add(process)
  return process
}

async function redis() {
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', 'redis', '--save', '']
  const child = spawn('redis-server', [...options, '--appendonly', 'yes', '--appendfsync', 'always'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  child.stdout.on('data', (text) => (out += text))
  child.on('error', ({ message }) => {
    console.error(`redis-server cannot be started: ${message}; apt-get install redis-server`)
    process.exit(1)
  })
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
  client.on('error', () => {})
  let answered = false
  client.ping().then(
    () => (answered = true),
    () => {},
  )
  await until('redis-server answers', () => {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}: ${out}`)
    return answered
  })
  client.disconnect()
  return child
}

/** What a process said at its end. */
async function endOf({ child, ended, said }) {
  let end
  ended.then((found) => (end = found))
  return until(
    'the end of a process',
    () => end,
    () => `${child.spawnargs.slice(2).join(' ')}, which said: ${said()}`,
  )
}

/** Ids of the trials that workers hold. */
async function active() {
  const client = new Redis(url)
  const [plan] = await client.smembers('dlg:audits')
  const jobs = plan ? await client.lrange(`dlg:${plan}:active`, 0, -1) : []
  client.disconnect()
  return jobs
}

async function until(what, holds, words = () => `after ${written()} records`) {
  const end = Date.now() + 120_000
  for (;;) {
    const found = await holds()
    if (found) return found
    if (Date.now() > end) throw new Error(`not reached in two minutes: ${what}: ${words()}`)
    await rest(50)
  }
}

/** A port that no client is given by chance while Redis is down: those are above 32768. */
function freePort() {
  const listener = createServer()
  const port = 10_000 + Math.floor(20_000 * Math.random())
  return new Promise((resolve) => {
    listener.on('error', () => resolve(freePort()))
    listener.listen(port, '127.0.0.1', () => listener.close(() => resolve(port)))
  })
}
