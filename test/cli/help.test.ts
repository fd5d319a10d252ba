import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readArguments } from '../../src/cli/arguments'
import { commands } from '../../src/cli/commands'
import { run } from '../../src/cli/main'
import { dlg } from './terminal'

it('the overview names every command and exit code', async () => {
  const { code, stdout } = await dlg(['--help'])
  expect(code).toBe(0)
  for (const { name, summary } of commands)
    expect(stdout).toMatch(new RegExp(`^  ${name} .* ${summary.slice(0, 20)}`, 'm'))
  for (const code of [0, 1, 2, 130]) expect(stdout).toMatch(new RegExp(`^  ${code} `, 'm'))
  expect(stdout).toContain('audit, worker and report have exit codes of their own')
  expect((await dlg(['-h'])).stdout).toBe(stdout)
  expect((await dlg(['help'])).stdout).toBe(stdout)
})

it('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(await dlg(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

describe.each(commands.map((c) => [c.name, c] as const))('dlg %s', (name, command) => {
  it('has help with every option, within 120 columns', async () => {
    const { code, stdout } = await dlg([name, '--help'])
    expect(code).toBe(0)
    for (const option of Object.keys(command.options)) expect(stdout).toContain(`  --${option} `)
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(120)
    expect((await dlg(['help', name])).stdout).toBe(stdout)
    // help wins over what is wrong beside it
    expect((await dlg([name, '--none', '-h'])).stdout).toBe(stdout)
  })

  it('has its own exit codes, where they are not those of an attack', async () => {
    const { stdout } = await dlg([name, '--help'])
    const codes = [...stdout.split('Exit code')[1].matchAll(/^ {2}(\d+) /gm)].map(([, code]) => Number(code))
    const own: Record<string, number[]> = {
      audit: [0, 1, 2, 74, 130],
      report: [0, 1, 2, 3, 74],
      worker: [0, 2, 74, 130],
    }
    expect(codes).toEqual(own[name] ?? [0, 1, 2, 74, 130])
    expect(stdout.includes('the gradient was matched')).toBe(!(name in own))
  })

  it('has examples that it takes', () => {
    for (const example of command.examples) {
      const [program, first, ...rest] = example.split(' ')
      expect([program, first]).toEqual(['dlg', name])
      expect(() => readArguments(command.options, rest)).not.toThrow()
    }
  })

  it('has the options that all attacks have, if it is one', () => {
    if (['check', 'audit', 'worker', 'report'].includes(name)) return
    const common = 'out seed iterations runtime json help'
    // the attack on text knows its labels, and both it and the one on tables choose their own optimizer
    const own =
      name === 'text'
        ? 'distance'
        : `labels restarts concurrency backend${name === 'table' ? '' : ' distance optimizer preset'}`
    expect(Object.keys(command.options)).toEqual(expect.arrayContaining(`${common} ${own}`.split(' ')))
  })
})

it('colours headings in a terminal that wants colours', async () => {
  const help = async (env: Record<string, string>) => {
    let stdout = ''
    const write = (text: string) => (stdout += text)
    const { signal } = new AbortController()
    await run(['--help'], { stdout: { write, isTTY: true }, stderr: { write }, env, signal })
    return stdout
  }
  expect(await help({})).toContain('\x1b[1mCommands')
  expect(await help({ NO_COLOR: '1' })).not.toContain('\x1b')
})
