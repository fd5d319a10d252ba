import { join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** Where the command lies for tests that run it as a process: as deep as in the package, so that it finds package.json. */
export const command = join(root, 'out/command/index.js')

/** Two examples that are run as processes. */
export const examples = { demo: join(command, '../demo.js'), gpu: join(command, '../gpu.js') }

/** Bundles the command and these examples once for all tests: a process of them starts in a third of the time that tsx takes to read the source. */
export default async function setup(): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: {
      index: 'src/cli/index.ts',
      'search-thread': 'src/attacks/matching/search/search-thread.ts',
      trials: 'src/cli/audit/trials.ts',
      demo: 'examples/demo.ts',
      gpu: 'examples/gpu.ts',
    },
    outdir: 'out/command',
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
    logLevel: 'error',
  })
}
