import { describe, expect, it } from 'vitest'
import { type LeakageOptions, MATCHING } from '../../src/attacks/matching/options'
import { readArguments } from '../../src/cli/arguments'
import { attackSettings, FROM_FILES, PLAYED, playedSettings } from '../../src/cli/attack'
import { commands } from '../../src/cli/commands'
import { flagName, OWN_DEFAULTS, type Records, readFlags, wordsOf } from '../../src/cli/flags'

const command = (name: string) => commands.find((c) => c.name === name)!
const flagged = Object.entries(MATCHING as Records).filter(([, { flag }]) => flag)
const optionsOf = (name: string) => Object.keys(command(name).options)

describe('every option that has a flag', () => {
  it.each(flagged.map(([name, record]) => [name, flagName(name, record)]))('%s is --%s of dlg attack', (name, flag) => {
    const option = command('attack').options[flag]
    const { default: standard, flag: given } = (MATCHING as Records)[name]
    expect(option.value).toBe(given?.value)
    if (typeof standard === 'string' || typeof standard === 'number')
      expect(`${option.help} (default ${option.default})`).toContain(`default ${name === 'seed' ? 1 : standard}`)
  })

  it('is one of the commands that search data too, but for how a client trains that they play', () => {
    const client = ['precision', 'batch-size', 'criterion', 'loss-weights', 'output', 'reduction', 'training', 'range']
    const search = flagged.map(([name, record]) => flagName(name, record)).filter((name) => !client.includes(name))
    expect(search).toEqual(expect.arrayContaining(['scale', 'priors', 'prior-easing', 'patience', 'budget', 'init']))
    expect(optionsOf('batch')).toEqual(expect.arrayContaining([...search, 'tv', 'time-limit']))
    const one = search.filter((name) => name !== 'batch-update')
    for (const name of ['image', 'cifar'])
      expect(optionsOf(name)).toEqual(expect.arrayContaining([...one, 'tv', 'time-limit']))
    for (const name of ['image', 'cifar', 'batch'])
      expect(optionsOf(name).filter((option) => client.includes(option))).toEqual([])
    expect(optionsOf('text')).toEqual(
      expect.arrayContaining('distance iterations restarts tolerance budget time-limit seed runtime'.split(' ')),
    )
  })
})

/** What is typed for every option with a flag, and what the call is given for it. */
const TYPED: { [Name in keyof typeof MATCHING]?: readonly [word: string, value: unknown] } = {
  certainty: ['bars', 'bars'],
  noise: ['0.001', 0.001],
  verifyRuntime: ['off', false],
  criterion: ['huber', 'huber'],
  lossWeights: ['1,0.5', [1, 0.5]],
  output: ['logits', 'logits'],
  reduction: ['sum', 'sum'],
  training: ['', true],
  runtime: ['tfjs', 'tfjs'],
  batchSize: ['2', 2],
  scale: ['-0.5', -0.5],
  precision: ['bfloat16', 'bfloat16'],
  preset: ['paper', 'paper'],
  labels: ['3,1', [3, 1]],
  distance: ['cosine', 'cosine'],
  priors: ['totalVariation=1e-3,box=2', { totalVariation: 1e-3, box: 2 }],
  priorEasing: ['0.5', 0.5],
  dataRange: ['-1,1', [-1, 1]],
  optimizer: ['adam', 'adam'],
  batchUpdate: ['one-by-one', 'one-by-one'],
  iterations: ['7', 7],
  patience: ['Infinity', Number.POSITIVE_INFINITY],
  restarts: ['2', 2],
  consistency: ['0.01', 0.01],
  concurrency: ['3', 3],
  seed: ['-1', -1],
  init: ['uniform', 'uniform'],
  tolerance: ['1e-3', 1e-3],
  budget: ['1.5m', { milliseconds: 90_000 }],
}

describe('what is typed', () => {
  const read = (argv: string[]) => readFlags(FROM_FILES, readArguments(command('attack').options, argv))

  it('reaches the call, for every option with a flag', () => {
    expect(Object.keys(TYPED).sort()).toEqual(flagged.map(([name]) => name).sort())
    for (const [name, [word, value]] of Object.entries(TYPED)) {
      const flag = `--${flagName(name, (MATCHING as Records)[name])}`
      const given = word === '' ? [flag] : [flag, word]
      expect(read(given), name).toEqual({ seed: OWN_DEFAULTS.seed, [name]: value })
      if (word) expect(read([`${flag}=${word}`]), name).toEqual({ seed: OWN_DEFAULTS.seed, [name]: value })
    }
  })

  it('is what the options are spelled as', () => {
    const all = Object.entries(TYPED).filter(([name]) => name !== 'priors' && name !== 'budget')
    const given = Object.fromEntries(all.map(([name, [, value]]) => [name, value]))
    expect(read(wordsOf(FROM_FILES, given).flatMap((words) => words.split(' ')))).toEqual(given)
  })

  it('is all that the call is given: the preset and the defaults are its own', () => {
    expect(read([])).toEqual({ seed: 1 })
    expect(read(['--preset', 'paper'])).toEqual({ seed: 1, preset: 'paper' })
  })

  const settings = (...argv: string[]) =>
    attackSettings(readArguments(command('attack').options, argv), read(argv) as LeakageOptions)

  it('--time-limit and --budget are limits beside each other', () => {
    expect(settings('--time-limit', '30s').options.budget).toEqual({ milliseconds: 30_000 })
    expect(settings('--budget', '5000', '--time-limit', '500ms').options.budget).toEqual({
      ...{ evaluations: 5000, milliseconds: 500 },
    })
    expect(settings('--budget', '2h').options.budget).toEqual({ milliseconds: 7_200_000 })
  })

  it('labels of a client that is played may be known', () => {
    const labels = (...argv: string[]) => {
      const { options, labels: how } = playedSettings(readArguments(command('image').options, argv))
      return [how, options.labels]
    }
    expect(labels()).toEqual(['joint', 'joint'])
    expect(labels('--labels', 'known')).toEqual(['known', undefined])
    expect(labels('--labels', '3')).toEqual([[3], [3]])
    expect(labels('--labels', 'infer')).toEqual(['infer', 'infer'])
    expect(PLAYED.labels.help).toMatch(/known/)
  })

  it('a negative number after an option is its value, and a word after -- is none', () => {
    const options = { seed: { value: 'N', help: '' }, json: { help: '' } }
    const parsed = (...argv: string[]) => {
      const args = readArguments(options, argv)
      return [args.text('seed'), args.has('json'), args.positionals]
    }
    expect(parsed('--seed', '-1', 'x')).toEqual(['-1', false, ['x']])
    expect(parsed('--seed', '-.5')).toEqual(['-.5', false, []])
    expect(parsed('--seed=2', '--', '-1')).toEqual(['2', false, ['-1']])
    expect(() => parsed('--json', '-1')).toThrow(/^unknown option '-1'/)
    expect(() => parsed('--seed', '--json')).toThrow(/^option/)
  })
})
