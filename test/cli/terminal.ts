import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { run } from '../../src/cli/main'
import { encodePng } from '../../src/io'
import { command } from '../bundled-command'
import { fastest } from '../fastest'

/** An empty folder for each test. */
export function scratch(): { at: (name: string) => string; names: () => string[] } {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dlg-cli-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  return { at: (name) => join(folder, name), names: () => readdirSync(folder).sort() }
}

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The command in this process. `on` sees all of stderr as it grows. */
export async function dlg(
  argv: readonly string[],
  options: { env?: Record<string, string>; signal?: AbortSignal; on?: (stderr: string) => void } = {},
) {
  const written = { stdout: '', stderr: '' }
  const code = await run(argv, {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: {
      write(text) {
        written.stderr += text
        options.on?.(written.stderr)
      },
    },
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
  })
  return { code, ...written } satisfies Ran
}

/** The command as a process of its own. `on` sees all of stderr as it grows, and may send signals. */
export function spawnDlg(
  argv: readonly string[],
  on: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
  env: Record<string, string> = {},
): Promise<Ran & { pid: number | undefined }> {
  const child = spawn(process.execPath, [command, ...argv], { env: { ...process.env, ...env } })
  const written = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    written.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    written.stderr += chunk
    on(written.stderr, (signal) => child.kill(signal))
  })
  return new Promise((resolve) => {
    child.on('close', (code, signal) =>
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 143), pid: child.pid, ...written }),
    )
  })
}

/** A picture with smooth and sharp parts, different for every seed. */
export function writePhoto(path: string, seed = 0, width = 24, height = width): string {
  const value = (x: number, y: number, c: number) =>
    0.5 + 0.3 * Math.sin(seed + x / 3 + c) * Math.cos(y / 4 - seed) + ((x + seed) % 8 < 4 ? 0.15 : -0.15)
  const data = new Float32Array(width * height * 3)
  for (let i = 0; i < data.length; i++) data[i] = value(Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3)
  writeFileSync(path, encodePng({ width, height, data }))
  return path
}

export const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

/** Small enough for a second, on a runtime that is always there. */
export const QUICK = ['--size', '12', '--classes', '10', '--runtime', 'tfjs', '--backend', 'wasm']

/** As small, for whole searches. */
export const WHOLE = ['--size', '12', '--classes', '10', '--runtime', fastest]
