import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeEach, describe, expect, it } from 'vitest'
import { parseJournal, type TrialRecord } from '../../src/audit'
import { encodePng, readTensors, writeNpz, writeSafetensors } from '../../src/io'
import { sample, withUniformWeights } from '../attacks/matching/tiny'
import { mlp, records, SCHEMA } from '../attacks/tabular/tables'
import { gradientFile, writeModel } from './model-files'
import { dlg, readJson, scratch } from './terminal'

const folder = scratch()

/** Pictures of 4×4 pixels into a dense layer with bias, which gives them away in closed form. */
const net = () => {
  const model = sequential()
  model.add(layers.flatten({ inputShape: [4, 4, 3] }))
  model.add(layers.dense({ units: 60, activation: 'sigmoid', name: 'hidden' }))
  model.add(layers.dense({ units: 4, name: 'scores' }))
  return withUniformWeights(model)
}

const config = {
  model: 'model.json',
  data: { x: 'batch.npz', labels: [0, 1, 2], names: ['anna', 'ben', 'cleo'] },
  training: { runtime: 'reference' },
  attacks: ['label-inference', 'dense-inversion'],
  defences: ['none', { gaussianNoise: { std: 5 } }, { quantised: 'float16' }],
  evaluations: 50,
  seed: 1,
}
const writeConfig = (changes: object = {}) => {
  writeFileSync(folder.at('audit.json'), JSON.stringify({ ...config, ...changes }))
  return folder.at('audit.json')
}
const journalOf = (out: string) => parseJournal(readFileSync(folder.at(`${out}/run.jsonl`), 'utf8'))
const fixed = (records: readonly TrialRecord[]) =>
  records.map(({ milliseconds: _, ...record }) => JSON.stringify(record)).sort()
const auditTo = (out: string, ...argv: string[]) =>
  dlg(['audit', folder.at('audit.json'), '--out', folder.at(out), '--concurrency', '1', ...argv])

beforeEach(async () => {
  await tf.setBackend('cpu')
  const model = net()
  await writeModel(model, folder.at('model.json'))
  model.dispose()
  const x = sample([3, 4, 4, 3])
  writeFileSync(
    folder.at('batch.npz'),
    writeNpz(new Map([['x', { shape: x.shape, data: x.dataSync() as Float32Array }]])),
  )
  x.dispose()
  writeConfig()
})

describe('an audit file', () => {
  it('with a wrong option is told of it in its own words, and thresholds before any attack', async () => {
    for (const [changes, words] of [
      [{ training: { batchSize: 0 } }, 'batchSize is 0; it must be a whole number of at least 1'],
      [{ seed: 1.5 }, 'seed is 1.5; it must be a whole number'],
      [{ thresholds: { psnr: 'high' } }, "thresholds.psnr is 'high'; it must be a number of dB from 0 to 1000"],
      [{ thresholds: { ssim: 1 } }, "there is no 'ssim' in thresholds; there are psnr, margin"],
    ] as const) {
      writeConfig(changes)
      const { code, stderr } = await auditTo('wrong')
      expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
      expect(stderr).not.toContain('--')
    }
    expect(existsSync(folder.at('wrong'))).toBe(false)
  })

  it('goes nowhere without a folder', async () => {
    const { code, stderr } = await dlg(['audit', folder.at('audit.json'), '--out', ''])
    expect([code, stderr]).toEqual([2, "dlg: --out is ''; it must be the path of a folder\n"])
    expect(await dlg(['report', ''])).toMatchObject({ code: 2, stderr: expect.stringContaining('no run given') })
  })
})

describe('the journal of a run', () => {
  it('that is a folder is refused before any work', async () => {
    mkdirSync(folder.at('taken/run.jsonl'), { recursive: true })
    expect(await auditTo('taken')).toMatchObject({ code: 2, stderr: expect.stringMatching(/run\.jsonl: is a folder/) })
    const report = await dlg(['report', folder.at('taken')])
    expect(report).toMatchObject({ code: 2, stderr: expect.stringMatching(/run\.jsonl: is a directory/) })
  })

  it('whose first line a kill cut off begins anew; another file is left as it is', async () => {
    mkdirSync(folder.at('half'))
    writeFileSync(folder.at('half/run.jsonl'), '{"type":"run","version":1,"ke')
    const report = await dlg(['report', folder.at('half')])
    expect(report).toMatchObject({ code: 2, stderr: expect.stringMatching(/its first line was cut off/) })
    expect((await auditTo('half')).code).toBe(0)
    expect(journalOf('half').records.length).toBe(30)
    mkdirSync(folder.at('other'))
    writeFileSync(folder.at('other/run.jsonl'), 'notes')
    expect(await auditTo('other')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/other.run\.jsonl: the journal/),
    })
    expect(readFileSync(folder.at('other/run.jsonl'), 'utf8')).toBe('notes')
  })
})

describe('dlg audit', () => {
  it('writes a run, and dlg report says what it shows, in every format', async () => {
    const before = tf.memory().numTensors
    const { code, stdout, stderr } = await auditTo('run')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^30 trials in .*run\.jsonl\nwhat they say: dlg report /)])
    expect(stderr).toContain('client 0 · no defence · dense-inversion: proven: ')
    expect(tf.memory().numTensors).toBe(before)
    const { records, header } = journalOf('run')
    expect(records).toHaveLength(header.trials)
    const [proof] = records.filter(({ status }) => status === 'proven')
    const found = readTensors(folder.at(`run/${proof.found!.file}`)).get('data')!
    const original = readTensors(folder.at('run/originals.npz')).get('x')!
    expect(found.data[5]).toBeCloseTo(original.data[proof.client * 48 + 5], 4)

    const formats = ['--format', 'html,json,markdown,junit,sarif']
    const told = await dlg(['report', folder.at('run'), ...formats])
    expect(told.code).toBe(1)
    expect(told.stdout).toContain('gives away the data of 3 of 3 clients under 2 of 3 defences')
    expect(readJson(folder.at('run/report.json'))).toMatchObject({ version: 1, verdict: 'leaked-proven' })
    // reports are of the run: nothing is attacked again
    expect((await dlg(['report', folder.at('run'), '--fail-on', 'never'])).code).toBe(0)
    const page = readFileSync(folder.at('run/report.html'), 'utf8')
    expect(page.match(/<img /g)!.length).toBe(12)
    await dlg(['report', folder.at('run'), '--redact'])
    expect(readFileSync(folder.at('run/report.html'), 'utf8')).not.toContain('<img')
  })

  it('goes on where a kill cut it off, and ends with the same records', async () => {
    await auditTo('whole')
    const whole = readFileSync(folder.at('whole/run.jsonl'), 'utf8')
    // a half-written line, as a kill in the middle of a write leaves it
    await auditTo('cut')
    const lines = whole.split('\n')
    // a trial that broke down is tried again
    lines[2] = lines[2].replace('"status":"proven"', '"status":"error"')
    expect(lines[2]).toContain('"status":"error"')
    writeFileSync(folder.at('cut/run.jsonl'), `${lines.slice(0, 9).join('\n')}\n${lines[9].slice(0, 40)}`)
    const { stderr } = await auditTo('cut')
    expect(stderr).toMatch(/client 0 · no defence · dense-inversion: proven/)
    expect(stderr).not.toContain('client 1 · no defence')
    expect(fixed(journalOf('cut').records)).toEqual(fixed(journalOf('whole').records))
  })

  it('runs parts apart, which dlg report puts together', async () => {
    await auditTo('part-1', '--shard', '1/2')
    await auditTo('part-2', '--shard', '2/2')
    const half = await dlg(['report', folder.at('part-1'), '--format', 'json'])
    expect(half.stderr).toContain('of 30 trials are missing: the run is not whole')
    const both = ['report', folder.at('part-1'), folder.at('part-2'), '--format', 'json', '--out', folder.at('all')]
    const told = await dlg(both)
    expect([told.code, told.stderr]).toEqual([1, ''])
    expect(readJson(folder.at('all/report.json')).defences).toHaveLength(3)
  })

  it('does not count what an older run had, or what is accepted', async () => {
    await auditTo('run')
    const report = (...argv: string[]) => dlg(['report', folder.at('run'), '--format', 'json', ...argv])
    expect((await report()).code).toBe(1)
    expect((await report('--baseline', folder.at('run'))).code).toBe(0)
    const accept = [{ defence: '*', attack: 'dense-inversion', reason: 'the lab knows', until: '2999-01-01' }]
    writeConfig({ accept })
    const told = await report('--config', folder.at('audit.json'))
    expect(told.stdout).toContain(
      '  not counted: leaked (proven): no defence: dense-inversion: 3 of 3 clients: the lab knows\n',
    )
    expect(told.stdout.match(/not counted/g)).toHaveLength(2)
    expect(told.code).not.toBe(1)
  })

  it('says which findings made the exit code, and which accepted ones have no effect', async () => {
    await auditTo('run')
    const config = () => ['--config', folder.at('audit.json')]
    const report = (...argv: string[]) => dlg(['report', folder.at('run'), '--format', 'json', ...argv])
    const known = { reason: 'known', until: '2999-01-01' }
    writeConfig({ accept: [{ attack: 'dense-inversion', ...known }] })
    const partly = await report(...config(), '--fail-on', 'partly')
    expect([partly.code, partly.stderr]).toEqual([1, ''])
    expect(partly.stdout).toContain(
      '  exit code 1: these leaks count (fail on partly):\n    partly: no defence: label-inference: 3 of 3 clients\n',
    )
    writeConfig({
      accept: [
        { attack: 'dense-inversion', reason: 'known', until: '2020-01-01' },
        { defence: 'pruning', ...known },
        { attack: 'dense-inversion, curious', ...known },
      ],
    })
    const idle = await report(...config())
    expect([idle.code, idle.stdout.includes('not counted')]).toEqual([1, false])
    expect(idle.stdout).toContain('    leaked (proven): no defence: dense-inversion: 3 of 3 clients\n')
    expect(idle.stderr.trim().split('\n')).toEqual([
      'dlg: accept entry 1 expired on 2020-01-01, its last day: what it accepted counts again',
      expect.stringMatching(
        /^dlg: accept entry 2 matches nothing: the run has no defence 'pruning'; it has .*'no defence'/,
      ),
      "dlg: accept entry 3 matches nothing: the run has no attack 'dense-inversion, curious' under '*'; it has 'dense-inversion', 'label-inference'",
    ])
    writeConfig({ accept: [{ ...known, attack: 'dense-inversion' }] })
    const open = await report(...config())
    expect([open.code, (await report('--fail-on', 'never')).code]).toEqual([0, 0])
    expect(open.stdout).not.toContain('exit code')
  })

  it('prints the grid and runs nothing for --dry-run; takes pictures, updates and modules; keeps nothing for --redact', async () => {
    const dry = await auditTo('run', '--dry-run')
    expect(dry.stdout).toContain(
      '3 clients with 1 sample each\n2 attacks: label-inference, dense-inversion\n5 rows:\n  no defence\n',
    )
    expect(dry.stdout).toContain('30 trials, at most 0 evaluations')
    expect(existsSync(folder.at('run'))).toBe(false)

    const gray = { width: 8, height: 8, data: new Float32Array(192).map((_, i) => (i % 7) / 7) }
    writeFileSync(folder.at('p.png'), encodePng(gray))
    writeConfig({ data: { x: ['p.png'], labels: [2] }, defences: ['none'] })
    expect((await auditTo('pictures', '--redact')).code).toBe(0)
    expect(journalOf('pictures').records[1]).toMatchObject({ samples: ['p.png'], status: 'proven' })
    expect(existsSync(folder.at('pictures/originals.npz')) || existsSync(folder.at('pictures/found'))).toBe(false)

    const [model, x] = [net(), sample([1, 4, 4, 3])]
    writeFileSync(folder.at('g.safetensors'), writeSafetensors(await gradientFile(model, x, [1])))
    model.dispose()
    x.dispose()
    writeConfig({ data: undefined, defences: undefined, updates: { 'client 7': 'g.safetensors' } })
    expect((await auditTo('updates')).code).toBe(0)
    expect(journalOf('updates').records[1]).toMatchObject({ samples: ['client 7'], status: 'proven' })
    expect((await dlg(['report', folder.at('updates')])).stdout).toContain(
      'leaked (proven): no defence: 1 of 1 client, by dense-inversion',
    )
  })

  it('takes a table: a CSV file and its schema', async () => {
    const model = mlp(11, 'relu', [60, 20], 3)
    await writeModel(model, folder.at('table.json'))
    model.dispose()
    const columns = SCHEMA.columns.map(({ name }) => name)
    const lines = [columns, ...records(2, 21).map((record) => columns.map((name) => record[name]))]
    writeFileSync(folder.at('people.csv'), lines.map((line) => line.join(',')).join('\n'))
    writeFileSync(folder.at('schema.json'), JSON.stringify(SCHEMA))
    const data = { x: 'people.csv', table: 'schema.json', labels: [0, 1] }
    writeConfig({ model: 'table.json', data, attacks: ['tableak'], defences: ['none'] })
    expect((await auditTo('run')).code).toBe(0)
    const told = await dlg(['report', folder.at('run'), '--format', 'html,markdown'])
    expect([told.code, told.stdout]).toEqual([1, expect.stringContaining('gives away the data of 2 of 2 clients')])
    const page = readFileSync(folder.at('run/report.html'), 'utf8')
    expect(page).toContain('6 of 6 cells')
    expect(page).toContain('Recognised: at least 90 % of the cells of a record')
    writeConfig({ model: 'table.json', data: { ...data, table: 'people.csv' } })
    const wrong = await auditTo('wrong')
    expect([wrong.code, wrong.stderr.trim().split('\n')]).toEqual([2, [expect.stringContaining('schema')]])
  })

  it.each<[string, object, string]>([
    ['a table without its schema', { data: { x: 'a.csv', table: 3, labels: [0] } }, 'the JSON file of its schema'],
    ['a wrong option of an attack', { attacks: [{ attack: 'spear', options: { draws: -1 } }] }, "'spear': draws is -1"],
    ['an unknown field', { defense: [] }, "there is no 'defense'"],
    ['an unknown attack', { attacks: ['sphere'] }, "attack is 'sphere'"],
    ['an unknown defence', { defences: [{ gausianNoise: { std: 1 } }] }, 'did you mean gaussianNoise?'],
    [
      'a defence with wrong parameters',
      { defences: ['none', { pruning: { part: 2 } }] },
      'defences[1]: part is 2; it must be a number above 0 and below 1',
    ],
    [
      'no defence among those that are composed',
      { defences: [{ composed: [{ signs: true }, 'none'] }] },
      "a part of composed is 'none'; it must be an object such as",
    ],
    [
      'what JSON cannot hold',
      { defences: [{ dpSgd: { clip: 1, noiseMultiplier: 1, examples: [[1]] } }] },
      'dpSgd has examples, which JSON cannot hold; leave them out, or write the audit file as a module',
    ],
    ['a missing model', { model: 'none.json' }, 'none.json'],
    ['missing data', { data: { x: 'none.npz', labels: [0] } }, 'none.npz'],
    ['no labels', { data: { x: 'batch.npz' } }, 'data has no labels'],
    ['an accepted finding without a day', { accept: [{ reason: 'r' }] }, 'accept entry 1 has no until; it must be'],
    ['an accepted finding without a reason', { accept: [{ until: '2027-01-31' }] }, 'accept entry 1 has no reason'],
    ['a day that there is not', { accept: [{ reason: 'r', until: '2027-02-30' }] }, "ends '2027-02-30'"],
    ['an expired form of date', { accept: [{ defence: '*', reason: 'r', until: 'soon' }] }, "ends 'soon'"],
    ['a threshold out of range', { thresholds: 3 }, 'thresholds is 3'],
    ['a failOn that there is not', { failOn: 'sometimes' }, "failOn is 'sometimes'"],
  ])('ends with 2 and one line for %s', async (_, changes, words) => {
    writeConfig(changes)
    const { code, stderr, stdout } = await auditTo('run')
    expect([code, stdout, stderr.trim().split('\n')]).toEqual([2, '', [expect.stringContaining(words)]])
    expect(existsSync(folder.at('run/run.jsonl'))).toBe(false)
  })

  it('ends with 2 for the run of another audit, and leaves it as it was', async () => {
    await auditTo('run')
    const before = readFileSync(folder.at('run/run.jsonl'), 'utf8')
    const { code, stderr } = await auditTo('run', '--seed', '9')
    expect([code, stderr]).toEqual([2, expect.stringContaining('is the run of another audit')])
    expect(readFileSync(folder.at('run/run.jsonl'), 'utf8')).toBe(before)
    // not even a last line that a kill cut off
    writeFileSync(folder.at('run/run.jsonl'), `${before}{"type":`)
    expect((await auditTo('run', '--seed', '9')).code).toBe(2)
    expect(readFileSync(folder.at('run/run.jsonl'), 'utf8')).toBe(`${before}{"type":`)
    writeFileSync(folder.at('run/run.jsonl'), before)
    appendFileSync(folder.at('run/run.jsonl'), 'nonsense\n')
    expect((await dlg(['report', folder.at('run')])).stderr).toContain('line 32 is no JSON')
    const wrong = [
      [['report'], 'no run given'],
      [['report', folder.at('none')], 'is not there'],
      [['report', folder.at('run'), '--format', 'pdf'], "--format has 'pdf'"],
      [['audit'], 'give one, such as audit.json'],
      [['audit', folder.at('none.json')], 'there is no such file'],
      [['audit', folder.at('audit.json'), '--shard', '3/2'], "--shard is '3/2'"],
    ] as const
    for (const [argv, words] of wrong)
      expect(await dlg([...argv])).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
  })
})
