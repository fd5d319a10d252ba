import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { MATCHING } from '../../src/attacks/matching/options'
import { commands } from '../../src/cli/commands'
import { GUIDE, optionsGuide } from './options-guide'

it('docs/guides/options.md is what npm run options writes', () => {
  expect(readFileSync(GUIDE, 'utf8')).toBe(optionsGuide())
})

it('has every option of the call once, and every flag of every command', () => {
  const lines = optionsGuide().split('\n')
  for (const name of Object.keys(MATCHING))
    expect(lines.filter((line) => line.startsWith(`| \`${name}\` `)).length, name).toBe(1)
  const text = lines.join('\n')
  for (const { options } of commands)
    for (const flag of Object.keys(options)) if (flag !== 'help') expect(text).toContain(`\`--${flag}`)
})
