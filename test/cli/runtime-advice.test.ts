import { describe, expect, it } from 'vitest'
import { scratch, spawnDlg, writePhoto } from './terminal'

const folder = scratch()

const module = (code: string) => `data:text/javascript,${encodeURIComponent(code).replaceAll("'", '%27')}`

/** A Node to which onnxruntime-node is not installed. */
const WITHOUT = `--import=${module(`import { register } from 'node:module'
register('${module(`export const resolve = (name, context, next) => {
  if (name === 'onnxruntime-node') throw new Error('Cannot find package onnxruntime-node')
  return next(name, context)
}`)}')`)}`

const ADVICE =
  'dlg: onnxruntime-node is missing, so this runs on tfjs cpu, which takes many times as long; npm install onnxruntime-node\n'

describe('where onnxruntime is missing', () => {
  const image = (env: Record<string, string>, ...argv: string[]) => {
    const photo = writePhoto(folder.at('photo.png'))
    const short = ['--size', '12', '--iterations', '1', '--restarts', '1', '--out', folder.at('out')]
    return spawnDlg(['image', photo, ...short, ...argv], () => {}, env)
  }
  const without = { NODE_OPTIONS: WITHOUT }

  it('a search on tfjs cpu says once, before it begins, what would be faster', async () => {
    const { code, stdout, stderr } = await image(without)
    expect(stderr.split(ADVICE)).toEqual(['', expect.stringMatching(/^restart 1\/1 · step 0\/1 /)])
    expect(stdout).toMatch(/ on tfjs:cpu\n/)
    expect(code).toBe(1)
  })

  it('JSON on stdout stays JSON', async () => {
    const { stdout, stderr } = await image(without, '--json')
    expect(stderr.startsWith(ADVICE)).toBe(true)
    expect(JSON.parse(stdout).runtime).toBe('tfjs:cpu')
  })

  it.each([
    ['--runtime', 'tfjs'],
    ['--backend', 'wasm'],
  ])('who has chosen %s %s is told nothing', async (...choice) => {
    const { code, stderr } = await image(without, ...choice)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^restart 1\/1 · step 0\/1 /)])
  })

  it('text too', async () => {
    const argv = ['text', 'We invite you.', '--iterations', '1', '--out', folder.at('out')]
    const { stderr } = await spawnDlg(argv, () => {}, without)
    expect(stderr.split(ADVICE)).toHaveLength(2)
  })
})

it('with onnxruntime-node nothing is said', async () => {
  const argv = ['image', writePhoto(folder.at('photo.png')), '--size', '12', '--iterations', '1', '--restarts', '1']
  const { stdout, stderr } = await spawnDlg([...argv, '--out', folder.at('out')])
  expect(stdout).toMatch(/ on onnx:cpu\n/)
  expect(stderr).toMatch(/^restart 1\/1 · step 0\/1 /)
})
