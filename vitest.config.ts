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

const ALL = ['test/**/*.test.ts']

/**
 * Files that need a process in which nothing was done before: they read the names that tfjs gives to layers, which it counts, or change
 * what all files of a process share, such as the backend or the list of distances. All others share a process for each core, where the
 * library is loaded once.
 */
const ALONE = [
  'test/docs.test.ts',
  'test/cli/new-distance.test.ts',
  'test/trace/supported.test.ts',
  'test/attacks/matching/pytorch.test.ts',
  'test/io/layouts/branches.test.ts',
  'test/models/no-backend.test.ts',
  'test/runtime/onnx-web.test.ts',
]

const installed = hasOnnxRuntime()

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE, isolate: true } },
      { extends: true, test: { name: 'together', include: ALL, exclude: ALONE, isolate: false } },
    ],
    globalSetup: ['test/bundled-command.ts'],
    setupFiles: ['test/setup.ts'],
    testTimeout: 60_000,
    // vitest leaves one core free, which is half of two
    maxWorkers: availableParallelism(),
    provide: { fastest: installed ? 'onnx' : 'tfjs' },
    ...(!installed && { testNamePattern: /^(?!.*onnxruntime-node)/s }),
  },
})
