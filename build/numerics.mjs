/**
 * Compares the runtimes of a browser with `reference` in Chromium, and prints a table. Fails where a runtime that an attack trusts is
 * wrong, where one that is wrong is not refused by name, or where a photo does not come back.
 *
 *   node build/numerics.mjs FOLDER [REPEATS [RUNTIME]]
 *
 * FOLDER is the built page of build/numerics; RUNTIME is how the names of the wanted runtimes begin. FULL=1 fills every cell. GPUs are emulated by SwiftShader: their times say nothing of a GPU.
 */
import { chromium } from 'playwright-core'
import { preview } from 'vite'

const [folder, repeats = '3', only = ''] = process.argv.slice(2)
const full = process.env.FULL === '1'
/** What takes long and says nothing new: an emulated GPU on a batch, and a build that is known to be wrong on what it gets right. */
const isSlow = (runtime, problem) =>
  (/web(gl|gpu)/.test(runtime) && problem === 'LeNet, batch of 2') ||
  (/JSEP/.test(runtime) && problem !== 'transformer')
/** Runtimes that must be there and right. */
const REQUIRED = ['tfjs cpu', 'tfjs wasm', 'onnxruntime-web wasm', 'auto']
/** Largest relative error that is right: of float32, over a computation of some hundred steps. */
const RIGHT = 1e-3
/** From where an attack refuses a runtime: relative errors of its value and of its gradient. */
const REFUSED = { value: 1e-3, gradient: 1e-2 }

const server = await preview({
  configFile: false,
  logLevel: 'error',
  build: { outDir: folder },
  preview: { port: 0, host: '127.0.0.1' },
})
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    ...['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
    ...[
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--enable-features=Vulkan',
      '--use-vulkan=swiftshader',
    ],
  ],
})
const problems = []
try {
  const page = await browser.newPage()
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(server.resolvedUrls.local[0])
  await page.waitForFunction(() => globalThis.numerics)
  const names = await page.evaluate(() => ({ runtimes: numerics.runtimes, problems: numerics.problems }))
  for (const problem of names.problems) await page.evaluate((name) => numerics.prepare(name), problem)
  console.log('| runtime | model | value | gradient | ms an evaluation | attack |')
  console.log('| --- | --- | --- | --- | --- | --- |')
  for (const runtime of names.runtimes.filter((name) => name.startsWith(only)))
    for (const problem of names.problems) {
      if (!full && isSlow(runtime, problem)) continue
      const cell = await page.evaluate(([r, p, n]) => numerics.cell(r, p, n), [runtime, problem, Number(repeats)])
      report(runtime, problem, cell)
    }
} catch (error) {
  problems.push(error.stack)
} finally {
  await browser.close()
  await server.close()
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0

function report(runtime, problem, { runtime: which, value, gradient, milliseconds, refused, attack }) {
  const number = (v) => (v === undefined ? '' : v.toExponential(1))
  const end =
    attack &&
    `${attack.status}, ${attack.psnr.toFixed(1)} dB, ${attack.evaluations} evaluations, ${(attack.milliseconds / 1000).toFixed(1)} s`
  const words = refused
    ? `refused: ${refused.slice(0, 160)}`
    : (end ?? (value <= RIGHT && gradient <= RIGHT ? 'runs' : 'runs, imprecise'))
  console.log(
    `| ${runtime} | ${problem} | ${number(value)} | ${number(gradient)} | ${milliseconds?.toFixed(1) ?? ''} | ${words} |`,
  )
  const right = value <= RIGHT && gradient <= RIGHT
  if (REQUIRED.includes(runtime) && (!right || refused)) problems.push(`${runtime} is wrong or refused: ${problem}`)
  const wrong = value > REFUSED.value || gradient > REFUSED.gradient
  if (wrong && !refused) problems.push(`${runtime} is wrong and was not refused: ${problem}`)
  if (wrong && refused && !refused.startsWith(which)) problems.push(`${runtime} was not refused by name: ${refused}`)
  if (attack && REQUIRED.includes(runtime) && !(attack.psnr > 30))
    problems.push(`${runtime}: the photo came back at ${attack.psnr} dB`)
}
