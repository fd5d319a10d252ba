import { join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** Where the command lies for tests that run it as a process: as deep as in the package, so that it finds package.json. */
export const command = join(root, 'out/command/index.js')

/** Bundles the command once for all tests: a process of it starts in a third of the time that tsx takes to read the source. */
export default async function setup(): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: {
      index: 'src/cli/index.ts',
      'search-thread': 'src/attacks/matching/search/search-thread.ts',
      trials: 'src/cli/audit/trials.ts',
    },
    outdir: 'out/command',
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
    logLevel: 'error',
  })
}
