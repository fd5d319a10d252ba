/**
 * Bundles the packed package for a browser with esbuild, webpack, Vite and Rollup, and runs each bundle where there is no Node:
 * no process, no Buffer, no require. Fails on an error, and on a warning that names dlg-ts.
 *
 *   node build/bundlers.mjs PROJECT
 *
 * PROJECT is a folder where dlg-ts and its peers are installed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import commonjs from '@rollup/plugin-commonjs'
import nodeResolve from '@rollup/plugin-node-resolve'
import { build as esbuild } from 'esbuild'
import jpeg from 'jpeg-js'
import { rollup } from 'rollup'
import { build as vite } from 'vite'
import webpack from 'webpack'

const project = resolve(process.argv[2])
const page = join(project, 'bundled.mjs')
const folder = join(project, 'bundles')

/** What a page does with the package; the answers go to `report`. */
const PAGE = `
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import * as dlg from 'dlg-ts'
import * as analytic from 'dlg-ts/analytic'
import * as attacks from 'dlg-ts/attacks'
import * as audit from 'dlg-ts/audit'
import * as defences from 'dlg-ts/defences'
import * as io from 'dlg-ts/io'
import * as metrics from 'dlg-ts/metrics'
import * as models from 'dlg-ts/models'
import * as report from 'dlg-ts/report'
import * as tabular from 'dlg-ts/tabular'
import * as text from 'dlg-ts/text'
import * as worker from 'dlg-ts/worker'

/** A JPEG of 8 × 8 gray pixels. */
const JPEG = Uint8Array.from(atob('@JPEG@'), (c) => c.charCodeAt(0))

const codeOf = (call) => {
  try {
    call()
  } catch (error) {
    return error instanceof dlg.DlgError ? error.code : String(error)
  }
}

function files() {
  const image = { width: 2, height: 2, data: Float32Array.from({ length: 12 }, (_, i) => i / 255) }
  const png = io.decodeImage(io.encodePng(image))
  const jpeg = io.decodeImage(JPEG)
  const tensors = new Map([['a', { shape: [300], data: new Float32Array(300).fill(0.5) }]])
  const sumOf = (read) => [...read.values()].flatMap(({ data }) => [...data]).reduce((sum, v) => sum + v, 0)
  const packed = io.writeNpz(tensors, { compress: true })
  return {
    png: png.data.every((v, i) => v === image.data[i]),
    jpeg: [jpeg.width, jpeg.height],
    gif: String.fromCharCode(...io.encodeGif([image]).subarray(0, 6)),
    npz: sumOf(io.parseNpz(packed, { maximumBytes: 10_000 })),
    bomb: codeOf(() => io.parseNpz(packed)),
    npy: sumOf(io.readTensors(io.writeNpy({ shape: [2], data: [1, 2] }))),
    csv: tabular.inferTableSchema('a;b\\n1;x\\n2;y').columns.map(({ kind }) => kind),
    safetensors: sumOf(io.readTensors(io.writeSafetensors(tensors))),
    json: sumOf(io.readTensors(Uint8Array.from('[[1, 2], [3]]', (c) => c.charCodeAt(0)))),
    // [{shape: [1], data: [7]}]
    msgpack: sumOf(io.readTensors(Uint8Array.of(0x91, 0x82, 0xa5, ...[115, 104, 97, 112, 101], 0x91, 1, 0xa4, ...[100, 97, 116, 97], 0x91, 7))),
    paths: [() => io.readImage('a.png'), () => io.readTensors('a.npy'), () => io.writeFileAtomic('a', '')].map(codeOf),
  }
}

async function attack() {
  await tf.setBackend('cpu')
  const values = (shape) => tf.randomUniform(shape, -0.5, 0.5, 'float32', 3)
  const model = { inputShape: [6], weights: { w: values([6, 3]), b: values([3]) }, apply: (x, { w, b }) => tf.add(tf.matMul(x, w), b) }
  const secret = tf.randomUniform([1, 6], 0, 1, 'float32', 4)
  const leak = await dlg.deepLeakage(model, await dlg.gradientsOf(model, secret, [2]), { seed: 1, restarts: 2, concurrency: 2 })
  const onnx = await dlg.onnx().compile({}).catch((error) => error.code)
  const close = metrics.meanSquaredError(secret.dataSync(), leak.data.dataSync()) < 1e-3
  return { status: leak.status, labels: [...leak.labels], close, runtime: leak.runtime, onnx }
}

globalThis.entries = [analytic, attacks, audit, defences, dlg, io, metrics, models, report, tabular, text, worker].map(
  (entry) => Object.keys(entry).length,
)
globalThis.report = Promise.resolve().then(async () => ({ ...files(), ...(await attack()) }))
`

const EXPECTED = {
  png: true,
  jpeg: [8, 8],
  gif: 'GIF89a',
  npz: 150,
  bomb: 'invalid-file',
  npy: 3,
  csv: ['numeric', 'categorical'],
  safetensors: 150,
  json: 6,
  msgpack: 7,
  paths: ['invalid-file', 'invalid-file', 'invalid-file'],
  status: 'converged',
  labels: [2],
  close: true,
  runtime: 'tfjs:cpu',
  onnx: 'runtime',
}

/** Each writes one script and returns its warnings; an error is thrown. */
const bundlers = {
  async esbuild(outfile) {
    const { warnings } = await esbuild({
      entryPoints: [page],
      bundle: true,
      platform: 'browser',
      format: 'iife',
      outfile,
      logLevel: 'silent',
    })
    return warnings.map(({ text, location }) => `${location?.file}: ${text}`)
  },

  async webpack(outfile) {
    const stats = await new Promise((done, fail) =>
      webpack(
        {
          mode: 'production',
          target: 'web',
          context: project,
          entry: page,
          output: { path: folder, filename: outfile.slice(folder.length + 1), publicPath: '' },
          performance: { hints: false },
          optimization: { minimize: false },
        },
        (error, result) => (error ? fail(error) : done(result)),
      ),
    )
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true, moduleTrace: true })
    const texts = (found) => found.map((e) => `${e.moduleName}: ${e.message} ${e.moduleTrace?.[0]?.originName}`)
    if (errors.length > 0) throw new Error(texts(errors).join('\n'))
    return texts(warnings)
  },

  async vite(outfile) {
    const warnings = []
    await vite({
      root: project,
      configFile: false,
      logLevel: 'silent',
      build: {
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        lib: { entry: page, formats: ['iife'], name: 'page', fileName: () => outfile.slice(folder.length + 1) },
        rollupOptions: { onwarn: (warning) => warnings.push(warning.message) },
      },
    })
    return warnings
  },

  async rollup(outfile) {
    const warnings = []
    const bundle = await rollup({
      input: page,
      plugins: [nodeResolve({ browser: true }), commonjs()],
      onwarn: (warning) => warnings.push(`${warning.id ?? ''} ${warning.message}`),
    })
    await bundle.write({ file: outfile, format: 'iife', inlineDynamicImports: true })
    return warnings
  },
}

/** Runs a script where only what every browser has is there, and resolves to its report. */
async function run(file) {
  const web = {
    TextDecoder,
    TextEncoder,
    atob,
    console,
    performance,
    setTimeout,
    clearTimeout,
    queueMicrotask,
    document: {},
  }
  const context = createContext({ ...web, AbortController, AbortSignal })
  runInContext('globalThis.self = globalThis.window = globalThis', context)
  runInContext(readFileSync(file, 'utf8'), context, { filename: file })
  // as text: objects of another realm have other prototypes
  return JSON.parse(JSON.stringify(await context.report))
}

const gray = jpeg.encode({ width: 8, height: 8, data: Buffer.alloc(8 * 8 * 4, 128) }, 50).data.toString('base64')
mkdirSync(folder, { recursive: true })
writeFileSync(page, PAGE.replace('@JPEG@', gray))
let failed = false
for (const [name, bundle] of Object.entries(bundlers)) {
  const outfile = join(folder, `${name}.js`)
  const wrong = []
  try {
    const warnings = await bundle(outfile)
    wrong.push(...warnings.filter((text) => text.includes('dlg-ts')))
    const report = await run(outfile)
    for (const [key, value] of Object.entries(EXPECTED))
      if (JSON.stringify(report[key]) !== JSON.stringify(value))
        wrong.push(`${key} is ${JSON.stringify(report[key])}, must be ${JSON.stringify(value)}`)
    console.log(`${name}: ${warnings.length} warnings, ${wrong.length} of ours`)
  } catch (error) {
    wrong.push(error.stack ?? String(error))
  }
  for (const line of wrong) console.error(`${name}: ${line}`)
  failed ||= wrong.length > 0
}
process.exitCode = failed ? 1 : 0
