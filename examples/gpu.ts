/**
 * The attack on a GPU, through a tfjs backend that is a package of its own:
 *
 *   npm install @tensorflow/tfjs-node-gpu         CUDA, in Node
 *   npm install @tensorflow/tfjs-backend-webgpu   WebGPU, where there is a navigator.gpu: browsers, Deno
 *
 *   npx tsx examples/gpu.ts [node-gpu|webgpu]
 *
 * Small networks are faster on one core with onnxruntime-node than on any GPU; large batches and networks are not.
 */
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, gradientsOf } from '../src' // 'dlg-ts'
import { lenet } from './models/lenet'

/** Package and the name its backend registers under. */
const BACKENDS: Readonly<Record<string, readonly [module: string, backend: string]>> = {
  'node-gpu': ['@tensorflow/tfjs-node-gpu', 'tensorflow'],
  webgpu: ['@tensorflow/tfjs-backend-webgpu', 'webgpu'],
}

async function useGpu(wanted: string | undefined): Promise<string> {
  const names = wanted === undefined ? Object.keys(BACKENDS) : [wanted]
  const failures: string[] = []
  for (const name of names) {
    if (!BACKENDS[name]) throw new Error(`there is no '${name}'; choose ${Object.keys(BACKENDS).join(' or ')}`)
    const [module, backend] = BACKENDS[name]
    try {
      await import(module)
      if (await tf.setBackend(backend)) return backend
      failures.push(`${module}: its backend does not start here (no GPU, no driver, or no WebGPU)`)
    } catch (error) {
      const absent = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
      failures.push(`${module}: ${absent ? `not installed; npm install ${module}` : (error as Error).message}`)
    }
  }
  throw new Error(`no GPU backend:\n  ${failures.join('\n  ')}`)
}

async function main(): Promise<void> {
  const backend = await useGpu(process.argv[2])
  const size = 64
  const model = lenet({ size })
  const secret = tf.randomUniform([4, size, size, 3], 0, 1, 'float32', 5)
  const shared = await gradientsOf(model, secret, [1, 2, 3, 4], { runtime: 'tfjs' })
  const leak = await deepLeakageFromGradients(model, shared, {
    batchSize: 4,
    runtime: 'tfjs', // runs on the active backend
    labels: 'infer',
    restarts: 1,
    iterations: 20,
  })
  const rate = Math.round((leak.evaluations / leak.milliseconds) * 1000)
  console.log(
    `${leak.runtime} (${backend}): ${rate} evaluations/s, relative loss ${leak.relativeLoss.toExponential(1)}`,
  )
  leak.dispose()
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 2
})
