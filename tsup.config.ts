import { readFileSync, writeFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** Packages that become part of the bundle: fast-png is ESM only, and Node 20 cannot require() that. */
const BUNDLED = ['fast-png', 'fflate', 'iobuffer']

/** What both builds have in common. */
const common = { splitting: true, target: 'node20' } as const

/** What a user may import. */
const entry = {
  index: 'src/index.ts',
  metrics: 'src/metrics.ts',
  io: 'src/io/index.ts',
  'onnx-web': 'src/runtime/onnx/web.ts',
  text: 'src/text.ts',
  models: 'src/models.ts',
  analytic: 'src/analytic.ts',
  tabular: 'src/tabular.ts',
  attacks: 'src/attacks/index.ts',
  defences: 'src/defences/index.ts',
  audit: 'src/audit/index.ts',
  report: 'src/report/index.ts',
  worker: 'src/worker/index.ts',
}

/** What a thread is started with, beside whatever starts it. */
const thread = { 'search-thread': 'src/attacks/matching/search/search-thread.ts' }

/** For Node: the condition `node` of package.json. */
const library = defineConfig({
  ...common,
  entry: { ...entry, ...thread },
  format: ['esm', 'cjs'],
  dts: { entry },
  esbuildOptions(options, { format }) {
    // CommonJS has __filename in its place, and import.meta is a syntax error there
    if (format === 'cjs') options.define = { ...options.define, 'import.meta.url': 'undefined' }
  },
  async onSuccess() {
    const notices = BUNDLED.map((name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`)
    writeFileSync('dist/THIRD-PARTY-LICENSES.txt', notices.join(`\n${'-'.repeat(80)}\n\n`))
  },
})

/** For browsers, and whatever else is not Node: NAME.browser.ts takes the place of NAME.ts. The types are those of Node. */
const browser = defineConfig({
  ...common,
  entry,
  format: ['esm', 'cjs'],
  outDir: 'dist/browser',
  platform: 'browser',
  target: 'es2022',
  esbuildOptions(options) {
    options.resolveExtensions = ['.browser.ts', '.ts', '.js']
  },
})

/** The command `dlg`: a program, so one format and no types. */
const command = defineConfig({
  ...common,
  entry: { cli: 'src/cli/index.ts', ...thread, trials: 'src/cli/audit/trials.ts' },
  format: ['esm'],
  outDir: 'dist/cli',
})

export default [library, browser, command]
