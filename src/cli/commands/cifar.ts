import { readFileSync } from 'node:fs'
import { DlgError } from '../../errors/dlg-error'
import { checkFolder } from '../../report/files'
import { attackOptions, PLAYED, playedSettings } from '../attack'
import type { Command } from '../command'
import { type CifarSet, cifar10, cifar100, cifarSample, readArchive } from '../data'
import { without } from '../flags'
import { NETWORK_OPTIONS, network } from '../photographs'
import type { Terminal } from '../terminal'

const SETS: Readonly<Record<'cifar100' | 'cifar10', CifarSet>> = { cifar100, cifar10 }

/** The original's `--index`. */
export const cifar: Command = {
  name: 'cifar',
  usage: '--index N',
  summary: 'an image of CIFAR-100 or CIFAR-10 with its true label',
  description: `As dlg image, with a 32×32 photograph and its true class out of CIFAR. The official archive (161 MB; CIFAR-10: 162 MB)
is downloaded once into $XDG_CACHE_HOME/dlg-ts, else ~/.cache/dlg-ts, and checked by its MD5 at every use. Without a
network, put it there yourself:
  ${cifar100.url}
  ${cifar10.url}
DLG_DATA_URL names another folder to download the same files from.`,
  options: {
    index: { value: 'N', default: '25', help: 'which image of the split, from 0' },
    dataset: { value: 'NAME', default: 'cifar100', help: Object.keys(SETS).join(', ') },
    split: { value: 'NAME', default: 'train', help: 'train (as the original), test' },
    archive: { value: 'FILE', help: 'a .tar.gz of the same format, used as it is instead of the official one' },
    ...NETWORK_OPTIONS,
    ...attackOptions('cifar', without(PLAYED, 'batchUpdate')),
  },
  examples: [
    'dlg cifar --index 25',
    'dlg cifar --dataset cifar10 --split test --index 3',
    'dlg cifar --index 8 --seed 2',
  ],
  async run(args, terminal) {
    const settings = playedSettings(args)
    const index = args.whole('index', 0)
    const set = SETS[args.choice('dataset', ['cifar100', 'cifar10'])]
    const net = network(args, set.classes)
    const split = args.choice('split', ['train', 'test'])
    const [stray] = args.positionals
    if (stray !== undefined)
      throw new DlgError('invalid-option', `'${stray}' is not an option; the image is chosen with --index`)
    // before an archive is fetched
    checkFolder(settings.out)
    const path = args.text('archive')
    const archive = path === undefined ? await official(set, terminal) : readFile(path)
    const { image, label, labelName } = cifarSample(set, archive, split, index, path ?? set.name)
    const { attackImages } = await import('../attack-images')
    const secrets = [{ source: `${set.name} ${split} ${index} (${labelName})`, image, label }]
    return attackImages({ command: 'cifar', secrets, network: net }, settings, terminal)
  },
}

function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'no such file' : `cannot be read: ${message}`
    throw new DlgError('invalid-file', `--archive ${path}: ${reason}`, { cause })
  }
}

async function official(set: CifarSet, { env, signal, stderr }: Terminal): Promise<Uint8Array> {
  let percent = -1
  const archive = await readArchive(set, {
    env,
    signal,
    onProgress(received, total) {
      const now = total ? Math.floor((100 * received) / total) : Math.floor(received / 1e6)
      // a line for every tenth where it cannot be rewritten
      if (now === percent || (!stderr.isTTY && now % 10 !== 0)) return
      percent = now
      const line = `downloading ${set.name}: ${now} ${total ? '%' : 'MB'}`
      stderr.write(stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
    },
  }).finally(() => percent >= 0 && stderr.isTTY && stderr.write('\r\x1b[K'))
  return archive
}
