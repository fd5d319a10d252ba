import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { attacks } from '../../src/attacks'
import { readArguments } from '../../src/cli/arguments'
import { commands } from '../../src/cli/commands'
import { fileAttack } from '../../src/cli/file-attack-options'
import { nextCommand } from '../../src/cli/in-flags'

type Name = keyof typeof attacks

const given = { batchSize: 4, training: true, dataRange: [-1, 1], criterion: 'huber', seed: 3 } as const

/** What a shell makes of it. */
function words(lines: readonly string[]): string[] {
  const text = execFileSync('sh', ['-c', `set -- ${lines.join('\n')}; printf '%s\\n' "$@"`], { encoding: 'utf8' })
  return text.trimEnd().split('\n')
}

describe('the command for an attack', () => {
  it.each(Object.keys(attacks) as Name[])('%s is one that dlg attack takes, or none', (name) => {
    const path = "/a folder/with 'quotes'/and a name that is long enough to need a line of its own/model.json"
    const lines = nextCommand(name, path, given)
    if (!lines) {
      expect(['dager', 'tableak']).toContain(name)
      return
    }
    expect(lines.slice(0, -1).every((line) => line.endsWith(' \\'))).toBe(true)
    const [program, command, ...argv] = words(lines)
    expect([program, command]).toEqual(['dlg', 'attack'])
    const { options, model, files, attack } = fileAttack(
      readArguments(commands.find((c) => c.name === 'attack')!.options, argv),
    )
    expect([model, files.source]).toEqual([path, { gradients: 'FILE' }])
    const { seed, ...training } = given
    expect(options).toMatchObject(training)
    expect(attack).toBe(name)
  })
})
