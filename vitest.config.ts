import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** onnxruntime-node is optional for users, so the tests run without it too. */
function hasOnnxRuntime(): boolean {
  try {
    createRequire(import.meta.url).resolve('onnxruntime-node')
    return true
  } catch {
    console.warn("onnxruntime-node is not installed: tests with 'onnxruntime-node' in their name are skipped")
    return false
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/bundled-command.ts'],
    setupFiles: ['test/setup.ts'],
    testTimeout: 60_000,
    // vitest leaves one core free, which is half of two
    maxWorkers: availableParallelism(),
    ...(!hasOnnxRuntime() && { testNamePattern: /^(?!.*onnxruntime-node)/s }),
  },
})
