import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { epsilonOfTraining, network, round } from '../../examples/disco-guard'
import { examples } from '../bundled-command'
import { readJson, scratch } from './terminal'

const folder = scratch()

function example(
  name: keyof typeof examples,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [examples[name], ...args], (error, stdout, stderr) =>
      resolve({ code: error ? (error.code as number) : 0, stdout, stderr }),
    )
  })
}

const installed = (name: string): boolean => {
  try {
    return Boolean(createRequire(import.meta.url).resolve(name))
  } catch {
    return false
  }
}

describe('the demo', () => {
  const quick = ['--size', '12', '--runtime', 'tfjs', '--backend', 'wasm', '--budget', '200']

  it('is dlg image with a photograph of its own', async () => {
    const { code, stdout } = await example('demo', ...quick, '--seed', '2', '--out', folder.at('out'))
    const result = readJson(folder.at('out/result.json'))
    expect(result).toMatchObject({ seed: 2, label: { original: 2 }, runtime: 'tfjs:wasm' })
    expect(result.source).toMatch(/allium-oreophilum/)
    expect(code).toBe(result.status === 'converged' && result.psnr >= 20 ? 0 : 1)
    expect(stdout.trim().split('\n')[1]).toBe(
      ['strip.png', 'steps.gif', 'result.json'].map((name) => folder.at(`out/${name}`)).join(' '),
    )
  })

  it.each([
    ['--image none.png', 'dlg: none.png: no such file\n'],
    ['--image=none.png', 'dlg: none.png: no such file\n'],
    ['--image', 'dlg: 0 images given; dlg image takes one\n'],
    ['--size 3', "dlg: --size is '3'; it must be a whole number from 12 to 256\n"],
  ])('%s', async (line, message) => {
    const { code, stderr } = await example('demo', ...line.split(' '), '--out', folder.at('out'))
    expect([code, stderr]).toEqual([2, message])
    expect(folder.names()).toEqual([])
  })
})

it.skipIf(installed('@tensorflow/tfjs-node-gpu'))(
  'the GPU example has rows for the CPU, and the reason where a runtime is not there',
  async () => {
    const { code, stdout } = await example('gpu', 'tfjs-node-gpu', '--seconds', '0.1')
    expect(code).toBe(0)
    for (const problem of ['image', 'batch', 'tokens'])
      expect(stdout).toMatch(new RegExp(`^${problem} +cpu +\\d+\\.\\d\\d +.*\\((budget|converged)`, 'm'))
    expect(stdout).toMatch(/^– +tfjs-node-gpu +@tensorflow\/tfjs-node-gpu is not installed: npm install/m)
  },
)

describe('the guard of a DISCO client', () => {
  it('holds back what gives the data away, and sends what noise hides; nothing leaks', async () => {
    await tf.setBackend('cpu')
    const model = network()
    const x = tf.tensor2d([[0.1, 0.9, 0.4, 0.3, 0.8, 0.2, 0.6, 0.5]])
    const before = tf.memory().numTensors
    const plain = await round(model, x, 2)
    expect([plain.send, plain.findings.some(({ code, level }) => code === 'data' && level === 'leak')]).toEqual([
      false,
      true,
    ])
    expect((await round(model, x, 2, { epsilon: 1, delta: 1e-5, clippingRadius: 1 })).send).toBe(true)
    expect(tf.memory().numTensors).toBe(before)
    tf.dispose(x)
    model.dispose()
  })

  it('counts ε over tensors and rounds', () => {
    const privacy = { epsilon: 1, delta: 1e-5, clippingRadius: 1 }
    const all = epsilonOfTraining(privacy, 4, 10)
    expect(all).toBe(epsilonOfTraining(privacy, 40, 1))
    // √40 times the privacy of one step: above √40 · ε of one by the term in μ², below 40 · ε
    expect(all).toBeGreaterThan(Math.sqrt(40) * epsilonOfTraining(privacy, 1, 1))
    expect(all).toBeLessThan(40 * epsilonOfTraining(privacy, 1, 1))
  })
})
