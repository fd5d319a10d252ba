import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, it } from 'vitest'
import { refusedKernels } from './cases/refused'
import { kernelsWithoutRule, refusalOf } from './coverage'
import { SUPPORTED, supported } from './supported'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

it('docs/supported.md says what the table of cases says; npm run supported writes it', async () => {
  expect(readFileSync(SUPPORTED, 'utf8')).toBe(await supported())
})

it('every kernel without a rule has a reason', () => {
  expect(Object.keys(refusedKernels).sort()).toEqual(kernelsWithoutRule().sort())
})

it.each(Object.keys(refusedKernels))('%s is refused by name', (kernel) => {
  expect(refusalOf(kernel)).toBe(`cannot trace the operation ${kernel}`)
})
