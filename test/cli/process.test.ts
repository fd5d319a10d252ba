import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { command } from '../bundled-command'
import { readJson, scratch, spawnDlg, writePhoto } from './terminal'

const folder = scratch()

/** Long enough to be interrupted, with steps short enough to notice. */
const LONG = ['--size', '20', '--runtime', 'tfjs', '--backend', 'wasm']
const SET = ['result.json', 'steps.gif', 'strip.png']

const once = (when: string, then: (kill: (signal: NodeJS.Signals) => void) => void) => {
  let done = false
  return (stderr: string, kill: (signal: NodeJS.Signals) => void) => {
    if (done || !stderr.includes(when)) return
    done = true
    then(kill)
  }
}

describe('as a process', () => {
  it('ends with 0 after help, and writes it to stdout', async () => {
    const { code, stdout, stderr } = await spawnDlg(['image', '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^dlg image PHOTO\n/)
  })

  it('ends with 1 when the attack failed, without a word of tfjs', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const argv = ['image', photo, '--size', '12', '--iterations', '1', '--restarts', '1', '--runtime', 'tfjs']
    const { code, stdout, stderr } = await spawnDlg([...argv, '--out', folder.at('out')])
    expect(stdout).toMatch(/^FAILED \(max-iterations\), best so far/)
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/^restart 1\/1 · step 0\/1 /)])
    expect(code).toBe(1)
  })

  it('keeps the best so far at Ctrl-C, and says so', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const stop = once('step 0/', (kill) => kill('SIGINT'))
    const { code, stdout, stderr } = await spawnDlg(['image', photo, ...LONG, '--out', folder.at('out')], stop)
    expect(stderr).toContain('\ndlg: stopping with the best so far; Ctrl-C again quits at once\n')
    expect(stdout).toMatch(/^interrupted, NOT converged, best so far: /)
    expect(code).toBe(130)
    expect(readdirSync(folder.at('out')).sort()).toEqual(SET)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({ status: 'aborted' })
  })

  it('leaves everything or nothing whenever it is stopped, and however', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const stops: [string, (kill: (signal: NodeJS.Signals) => void) => void, number][] = [
      ['step 0/', (kill) => kill('SIGTERM'), 143],
      ['step 0/', (kill) => setTimeout(kill, 150, 'SIGINT'), 130],
      ['stopping', (kill) => kill('SIGINT'), 130],
    ]
    const argv = (i: number) => ['image', photo, ...LONG, '--out', folder.at(`out${i}`)]
    for (const [i, [when, then, expected]] of stops.entries()) {
      const first = once('step 0/', (kill) => when !== 'step 0/' && kill('SIGINT'))
      const second = once(when, then)
      const { code } = await spawnDlg(argv(i), (stderr, kill) => {
        first(stderr, kill)
        second(stderr, kill)
      })
      expect(code).toBe(expected)
      if (existsSync(folder.at(`out${i}`))) expect(readdirSync(folder.at(`out${i}`)).sort()).toEqual(SET)
    }
    expect(folder.names().filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('keeps nothing of a download that is interrupted', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('part')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const env = { XDG_CACHE_HOME: folder.at('cache'), DLG_DATA_URL: `http://127.0.0.1:${port}` }
    const stop = once('downloading', (kill) => kill('SIGINT'))
    const { code, stdout, stderr } = await spawnDlg(['cifar', '--out', folder.at('out')], stop, env)
    server.closeAllConnections()
    server.close()
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toMatch(/dlg: interrupted before there was anything to write\n$/)
    expect(folder.names()).toEqual([])
  })

  /** With one of its streams gone before it writes, or going nowhere. */
  const broken = (stream: 'stdout' | 'stderr', argv: string[]) =>
    new Promise<{ code: number | null; other: string }>((resolve) => {
      const child = spawn(process.execPath, [command, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
      child[stream].destroy()
      let other = ''
      child[stream === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk) => {
        other += chunk
      })
      child.on('close', (code) => resolve({ code, other }))
    })

  it.each(['stdout', 'stderr'] as const)('goes on when the reader of %s leaves', async (stream) => {
    const photo = writePhoto(folder.at('photo.png'))
    const argv = ['image', photo, '--size', '12', '--iterations', '1', '--restarts', '1', '--runtime', 'tfjs']
    const { code, other } = await broken(stream, [...argv, '--out', folder.at('out')])
    expect(readdirSync(folder.at('out')).sort()).toEqual(SET)
    expect(code).toBe(1)
    expect(other).toMatch(stream === 'stderr' ? /^FAILED \(max-iterations\)/ : /^restart 1\/1 /)
  })

  it.runIf(existsSync('/dev/full'))('says so when stdout is full, and keeps the files', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const argv = ['image', photo, '--size', '12', '--iterations', '1', '--restarts', '1', '--runtime', 'tfjs', '--json']
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [command, ...argv, '--out', folder.at('out')], {
      stdio: ['ignore', full, 'pipe'],
    })
    let stderr = ''
    child.stderr?.on('data', (chunk) => {
      stderr += chunk
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    closeSync(full)
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^dlg: standard output cannot be written: ENOSPC/)
    expect(stderr).not.toMatch(/^ {4}at /m)
    expect(code).toBe(74)
    expect(readdirSync(folder.at('out')).sort()).toEqual(SET)
  })
})
