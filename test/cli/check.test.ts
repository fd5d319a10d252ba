import { writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeNpz } from '../../src/io'
import { convNet, sample } from '../attacks/matching/tiny'
import { gradientFile, writeModel } from './model-files'
import { dlg, scratch, spawnDlg } from './terminal'

const folder = scratch()

describe('dlg check', () => {
  let model: LayersModel | undefined

  beforeEach(() => tf.setBackend('cpu'))
  afterEach(() => model?.dispose())

  const checked = async (made: LayersModel, ...argv: string[]) => {
    model = made
    await writeModel(made, folder.at('model.json'))
    const before = tf.memory().numTensors
    const ran = await dlg(['check', '--model', folder.at('model.json'), '--runtime', 'reference', ...argv])
    expect(tf.memory().numTensors).toBe(before)
    return ran
  }

  it('says what it found, and ends with 0 where nothing is wrong', async () => {
    const { code, stdout, stderr } = await checked(convNet(), '--batch-size', '2')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /^model 'tiny'\n {2}weights {2}300 numbers trained in 4 tensors\n {2}unknowns 80 with a batch of 2\n/,
    )
    expect(stdout).toMatch(/^ {2}ok {7}tfjs's own gradient on cpu is ours/m)
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
  })

  it('ends with 1 where something is wrong', async () => {
    const pooled = sequential()
    pooled.add(layers.conv2d({ inputShape: [7, 7, 1], filters: 3, kernelSize: 3, activation: 'sigmoid' }))
    pooled.add(layers.averagePooling2d({ poolSize: 2, strides: 2, padding: 'same' }))
    pooled.add(layers.flatten())
    pooled.add(layers.dense({ units: 4 }))
    const { code, stdout } = await checked(pooled)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^ {2}error {4}tfjs's own gradient on cpu is wrong for /m)
  })

  it('takes data and labels of a file, and prints JSON', async () => {
    const x = sample([3, 6, 6, 1])
    writeFileSync(
      folder.at('x.npz'),
      writeNpz(new Map([['x', { shape: x.shape, data: x.dataSync() as Float32Array }]])),
    )
    x.dispose()
    const { code, stdout } = await checked(convNet(), '--data', folder.at('x.npz'), '--labels', '3,1,0', '--json')
    const check = JSON.parse(stdout)
    expect([code, check.batchSize, check.unknowns]).toEqual([0, 3, 3 * 36 + 3 * 4])
  })

  it('draws tokens for an embedding, and numbers for a regression', async () => {
    const words = sequential()
    words.add(layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 5 }))
    words.add(layers.flatten())
    words.add(layers.dense({ units: 2 }))
    const { code, stdout } = await checked(words, '--criterion', 'meanSquaredError', '--json')
    expect(code).toBe(0)
    const codes = JSON.parse(stdout).findings.map((f: { code: string }) => f.code)
    expect(codes).toEqual(expect.arrayContaining(['token-set', 'no-search']))
  })

  it('says under a finding which command acts on it, as a shell takes it', async () => {
    const { stdout } = await checked(convNet(), '--batch-size', '2', '--reduction', 'sum', '--range', '-1,1')
    const command = `dlg attack --model ${folder.at('model.json')} --gradients FILE --batch-size 2 --reduction sum --range -1,1`
    const commandAfter = (finding: RegExp) => {
      const lines = stdout.split('\n')
      const from = lines.findIndex((line) => finding.test(line))
      const at = lines.findIndex((line, i) => i > from && /^ {11}dlg /.test(line))
      expect(lines.slice(from + 1, at).filter((line) => /^ {2}\w/.test(line))).toEqual([])
      const last = lines.findIndex((line, i) => i >= at && !line.endsWith('\\'))
      return lines
        .slice(at, last + 1)
        .map((line) => line.trim().replace(/ \\$/, ''))
        .join(' ')
    }
    expect(commandAfter(/^ {2}ok +labels of /)).toBe(`${command} --attack label-inference`)
    expect(commandAfter(/^ {2}ok +everything is smooth /)).toBe(command)
    expect(stdout.match(/ dlg attack /g)).toHaveLength(2)
    // in its own words, and not in those of the call
    expect(stdout).toContain('(--labels infer)')
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
  })

  it('says whether a gradient is that of the data, and which weights differ most where it is not', async () => {
    const made = convNet()
    const x = sample([2, ...made.inputs[0].shape.slice(1).map(Number)])
    const batch = new Map([['x', { shape: x.shape, data: x.dataSync() as Float32Array }]])
    writeFileSync(folder.at('batch.npz'), writeNpz(batch))
    const shared = await gradientFile(made, x, [2, 1])
    x.dispose()
    writeFileSync(folder.at('g.npz'), writeNpz(shared))
    const data = ['--data', folder.at('batch.npz'), '--gradients', folder.at('g.npz')]
    const right = await checked(made, ...data, '--labels', '2,1')
    expect(right.stderr).toBe('')
    expect(right.stdout).toMatch(/the shared gradient is that of these data: they differ by \d\.\de-\d+ of its norm/)
    expect(right.code).toBe(0)
    const argv = ['check', '--model', folder.at('model.json'), '--runtime', 'reference']
    const sum = await dlg([...argv, ...data, '--labels', '2,1', '--reduction', 'sum'])
    expect([sum.code, sum.stdout]).toEqual([
      1,
      expect.stringContaining('NOT that of these data: they differ by 1.0e+0'),
    ])
    const other = await dlg([...argv, ...data, '--labels', '2,0', '--json'])
    const [worst] = JSON.parse(other.stdout).shared.worst
    // tfjs numbers the weights of a model that is loaded again
    expect([other.code, worst.residual > 0.1, shared.has(worst.weight.replace(/_\d+$/, ''))]).toEqual([1, true, true])
    const alone = await dlg([...argv, '--gradients', folder.at('g.npz')])
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('give --data and --labels too') })
  })

  it('as a process, and the same for the same seed', async () => {
    model = convNet()
    await writeModel(model, folder.at('model.json'))
    const argv = ['check', '--model', folder.at('model.json'), '--runtime', 'reference', '--json']
    const [first, second] = [await spawnDlg(argv), await dlg(argv)]
    expect([first.code, first.stderr]).toEqual([0, ''])
    expect(JSON.parse(first.stdout).secondOrder).toEqual(JSON.parse(second.stdout).secondOrder)
  })

  it('refuses flags of a gradient where there is none, and another batch size than that of the data', async () => {
    model = convNet()
    await writeModel(model, folder.at('model.json'))
    const argv = ['check', '--model', folder.at('model.json')]
    for (const flags of [
      ['--layout', 'pytorch'],
      ['--learning-rate', '0.1'],
      ['--sign', 'plus'],
      ['--by-order'],
      ['--epochs', '2'],
    ]) {
      const { code, stderr } = await dlg([...argv, ...flags])
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining(`${flags[0]} is of a shared gradient, which is not given`),
      ])
    }
    const data = { shape: [3, 6, 6, 1], data: new Float32Array(3 * 36).fill(0.5) }
    writeFileSync(folder.at('x.npz'), writeNpz(new Map([['x', data]])))
    const batch = ['--data', folder.at('x.npz'), '--labels', '0,1,2', '--json']
    const { stderr } = await dlg([...argv, ...batch, '--batch-size', '2'])
    expect(stderr).toBe('dlg: --batch-size is 2, and --data has 3 samples; both must be the same\n')
    // what is suggested attacks as many as were checked
    for (const flags of [[], ['--batch-size', '3', '--range', '-1,1']]) {
      const { stdout } = await dlg([...argv, ...batch, ...flags])
      const commands = JSON.parse(stdout).findings.flatMap(
        ({ command }: { command?: string[] }) => command?.join(' ') ?? [],
      )
      expect(commands.length).toBeGreaterThan(0)
      for (const command of commands) {
        expect(command).toMatch(/--batch-size 3\b/)
        expect(command.includes('-1,1')).toBe(flags.length > 0)
      }
    }
  })
})
