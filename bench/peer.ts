import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** A process that measures on request, one JSON object a line both ways. */
export interface Peer {
  // biome-ignore lint/suspicious/noExplicitAny: every reply has fields of its own
  ask(request: Record<string, unknown>, seconds?: number): Promise<any>
  close(): Promise<void>
}

/** How to start a peer, or why it cannot be. */
export type PeerKind = { readonly name: string } & (
  | { readonly missing: string }
  | {
      readonly command: string
      readonly args: (threads: number) => string[]
      /** The checkout it runs in; this one unless said. */
      readonly root?: string
    }
)

const root = join(import.meta.dirname, '..')
const tsx = (...args: string[]) => ['--import', 'tsx', ...args]
const script = (file: string): string => join(root, 'bench/peers', file)

export const ours: PeerKind = { name: 'ours', command: process.execPath, args: () => tsx(script('ours.ts')) }

/** What a peer computes with: an execution provider of onnxruntime, or PyTorch's and JAX's words for it. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'graph'

/** dlg-ts on a device, from this checkout or, where it is bundled, from a folder that has `peers/ours.js`. */
export function oursOn(device: Device, name = `ours ${device}`, folder = join(root, 'bench')): PeerKind {
  const bundle = join(folder, 'peers/ours.js')
  const args = existsSync(bundle) ? [bundle] : tsx(join(folder, 'peers/ours.ts'))
  return { name, command: process.execPath, args: () => [...args, device] }
}

/** A Python peer on a device; whether its library is there shows when it is started. */
export function pythonOn(library: 'torch' | 'jax', device: Device): PeerKind {
  const command = process.env.DLG_BENCH_PYTHON?.split(delimiter)[0] || 'python3'
  const args = (threads: number) => ['-u', script(`${library}_peer.py`), String(threads), device]
  return { name: `${library} ${device}`, command, args }
}

/** Another checkout of this repository, such as the commit before a change, with its own node_modules. */
export function before(folder: string): PeerKind {
  const checkout = resolve(folder)
  const file = join(checkout, 'bench/peers/ours.ts')
  if (!existsSync(file)) return { name: 'before', missing: `${file} is not there` }
  return { name: 'before', command: process.execPath, args: () => tsx(file), root: checkout }
}

export const tfjs = (backend: 'cpu' | 'wasm'): PeerKind => ({
  ...{ name: `tfjs ${backend}`, command: process.execPath, args: () => tsx(script('tfjs.ts'), backend) },
})

/** What an interpreter must be able to run for each Python peer. breaching as a whole needs more than its attackers do. */
const NEEDED = {
  torch: 'import torch, numpy',
  jax: 'import jax, numpy',
  breaching: "import torch, numpy, scipy, omegaconf, importlib.util as u; assert u.find_spec('breaching')",
}

/** A Python peer, run by the first interpreter that can import its library. */
export function python(name: keyof typeof NEEDED): PeerKind {
  const given = process.env.DLG_BENCH_PYTHON?.split(delimiter).filter(Boolean) ?? []
  const tried = [...given, 'python3', '/usr/bin/python3']
  const command = tried.find((python) => {
    try {
      execFileSync(python, ['-c', NEEDED[name]], { stdio: 'ignore', timeout: 120_000 })
      return true
    } catch {
      return false
    }
  })
  if (!command) return { name, missing: `no Python that can import ${name}: tried ${tried.join(', ')}` }
  return { name, command, args: (threads) => ['-u', script(`${name}_peer.py`), String(threads)] }
}

/** Starts a peer. Its library may use as many threads as `threads` says. */
export function start(kind: PeerKind, threads: number): Peer {
  if ('missing' in kind) throw new Error(kind.missing)
  const process_ = spawn(kind.command, kind.args(threads), {
    cwd: kind.root ?? root,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...{ OMP_NUM_THREADS: `${threads}`, MKL_NUM_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}` },
      ...{ TF_CPP_MIN_LOG_LEVEL: '3', PYTHONDONTWRITEBYTECODE: '1' },
    },
  })
  let chatter = ''
  process_.stderr.on('data', (text) => {
    chatter = (chatter + text).slice(-2000)
  })
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<void>((resolve) => {
    process_.on('close', () => resolve())
  })
  process_.stdin.on('error', () => {})
  return {
    async ask(request, seconds = 600) {
      process_.stdin.write(`${JSON.stringify(request)}\n`)
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          process_.kill('SIGKILL')
          reject(new Error(`${kind.name}: no answer to '${request.do}' within ${seconds} s`))
        }, seconds * 1000)
      })
      const { value, done } = await Promise.race([lines.next(), late]).finally(() => clearTimeout(timer))
      if (done)
        throw new Error(
          `${kind.name} ended during '${request.do}': ${chatter.trim().split('\n').slice(-3).join(' | ')}`,
        )
      const reply = JSON.parse(value)
      if (reply.error) throw new Error(`${kind.name}, '${request.do}': ${reply.error}`)
      return reply
    },
    async close() {
      process_.stdin.end()
      const timer = setTimeout(() => process_.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(timer)
    },
  }
}
