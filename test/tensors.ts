import * as tf from '@tensorflow/tfjs-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'

/** Runs a file's tests on tfjs cpu, and checks that together they leave no tensor behind. */
export function leavesNoTensors(): void {
  let before: number
  beforeAll(async () => {
    await tf.setBackend('cpu')
    before = tf.memory().numTensors
  })
  afterAll(() => {
    expect(tf.memory().numTensors).toBe(before)
  })
}

/**
 * The same for every test of a file.
 *
 * @returns what a test calls on all it makes, to have it freed
 */
export function ownership(): <T extends { dispose(): unknown }>(thing: T) => T {
  let owned: { dispose(): unknown }[] = []
  let before: number
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })
  beforeEach(() => {
    before = tf.memory().numTensors
  })
  afterEach(() => {
    for (const thing of owned.splice(0)) thing.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })
  return (thing) => {
    owned = [...owned, thing]
    return thing
  }
}
