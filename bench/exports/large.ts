/**
 * Opens an ONNX model of about 100 MB: how long does it take, and how much memory, in units of the file, is there at most?
 *
 *   node --expose-gc --import tsx bench/exports/large.ts [--megabytes 100] [--layers 24] [--external]
 *
 * The file is made here: dense layers with ReLU, as torch.onnx.export writes them, weights inside or in a file beside it. Memory is the resident set of
 * the process at its largest, as Linux counts it, without what it had before the file was read.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import { modelFromOnnx } from '../../src/models'
import { type NodeSpec, type TensorSpec, writeOnnx } from '../../test/models/onnx/write-onnx'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '100' },
    layers: { type: 'string', default: '24' },
    external: { type: 'boolean', default: false },
    file: { type: 'string' },
  },
})
const [megabytes, layers] = [Number(values.megabytes), Number(values.layers)]
const resident = () => process.memoryUsage().rss

function write(path: string): void {
  const width = Math.round(Math.sqrt((megabytes * 1e6) / 4 / layers))
  const nodes: NodeSpec[] = []
  const initializers: Record<string, TensorSpec> = {}
  const parts: Uint8Array[] = []
  let at = 0
  const tensor = (dims: number[], numbers: Float32Array): TensorSpec => {
    if (!values.external) return { dims, values: numbers }
    parts.push(new Uint8Array(numbers.buffer))
    at += numbers.byteLength
    const where = {
      location: 'net.onnx.data',
      offset: String(at - numbers.byteLength),
      length: String(numbers.byteLength),
    }
    return { dims, values: [], external: where }
  }
  for (let i = 0; i < layers; i++) {
    const numbers = Float32Array.from({ length: width * width }, (_, k) => Math.cos(k + i) / width)
    initializers[`layer${i}.weight`] = tensor([width, width], numbers)
    initializers[`layer${i}.bias`] = tensor([width], new Float32Array(width).fill(0.01 * i + 0.01))
    const from = i === 0 ? 'input' : `h${i - 1}`
    nodes.push({
      op: 'Gemm',
      inputs: [from, `layer${i}.weight`, `layer${i}.bias`],
      outputs: [`z${i}`],
      attributes: { transB: 1 },
    })
    nodes.push({ op: 'Relu', inputs: [`z${i}`], outputs: [`h${i}`] })
  }
  writeFileSync(
    path,
    writeOnnx({ nodes, initializers, inputs: { input: ['batch', width] }, outputs: [`h${layers - 1}`] }, 17),
  )
  if (values.external) writeFileSync(`${path}.data`, Buffer.concat(parts))
}

if (values.file === undefined) {
  // a process of its own opens it, so that nothing of the writing counts
  const folder = mkdtempSync(join(tmpdir(), 'dlg-large-'))
  const path = join(folder, 'net.onnx')
  write(path)
  const again = spawnSync(process.execPath, [...process.execArgv, process.argv[1], '--file', path], {
    stdio: 'inherit',
  })
  rmSync(folder, { recursive: true })
  process.exitCode = again.status ?? 1
} else {
  globalThis.gc?.()
  const [before, began] = [resident(), performance.now()]
  const bytes = readFileSync(values.file)
  const beside = `${values.file}.data`
  const data = existsSync(beside) ? readFileSync(beside) : undefined
  const model = modelFromOnnx(bytes, data ? { externalData: { 'net.onnx.data': data } } : {})
  const seconds = (performance.now() - began) / 1000
  // of this program alone: resourceUsage() counts what the process was before it ran this one
  const most = 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) - before
  const size = bytes.length + (data?.length ?? 0)
  const numbers = Object.values(model.weights).reduce((sum, w) => sum + w.size, 0)
  console.log(
    `${(size / 1e6).toFixed(1)} MB, ${numbers} numbers in ${model.trainable.length} weights: opened in ${seconds.toFixed(2)} s`,
  )
  globalThis.gc?.()
  console.log(
    `memory at most ${(most / size).toFixed(2)} times the file, ${((resident() - before) / size).toFixed(2)} times once open`,
  )
  model.dispose()
}
