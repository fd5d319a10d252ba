import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { attackOptions, PLAYED, playedSettings } from '../attack'
import type { Command } from '../command'
import { classCount, defaultClass, imageSize, NETWORK_OPTIONS, network, PHOTO_OPTIONS } from '../photographs'

/** Beyond the reach of this attack by an order of magnitude. */
const MOST = 128

export const batch: Command = {
  name: 'batch',
  usage: 'PHOTO PHOTO ...',
  summary: 'several photographs that share one averaged gradient',
  description: `Trains the paper's LeNet one step on a batch of photographs, keeps the averaged gradient alone, and reconstructs all
of them. A gradient has no order, so reconstructions are matched to originals by linear assignment of squared errors.
Writes gallery.png (originals above, reconstructions below, PSNR under each), steps.gif and result.json (per sample and
on average). The larger the batch, the longer and the less exact: four photographs take half a minute.`,
  options: {
    ...PHOTO_OPTIONS,
    class: { value: 'N,N,...', help: 'the class of each photograph (default: the seed and those that follow it)' },
    ...NETWORK_OPTIONS,
    ...attackOptions('batch', PLAYED),
  },
  examples: [
    'dlg batch a.jpg b.jpg c.jpg',
    'dlg batch a.jpg b.jpg c.jpg d.jpg --labels infer --weights-init default',
    'dlg batch a.jpg b.jpg --class 7,7 --labels known --out same-class',
    'dlg batch a.jpg b.jpg --batch-update one-by-one --concurrency 2',
  ],
  async run(args, terminal) {
    const settings = playedSettings(args)
    const [size, classes] = [imageSize(args), classCount(args)]
    const paths = args.positionals
    const net = network(args, classes)
    if (paths.length === 0) throw new DlgError('invalid-option', 'no images given; dlg batch takes one or more')
    if (paths.length > MOST)
      throw new DlgError('invalid-option', `${countOf(paths.length, 'image')} given; dlg batch takes at most ${MOST}`)
    const labels = args.wholes('class', 0, classes - 1) ?? paths.map((_, i) => defaultClass(settings, i, classes))
    if (labels.length !== paths.length)
      throw new DlgError(
        'invalid-option',
        `--class has ${countOf(labels.length, 'class', 'classes')} for ${countOf(paths.length, 'image')}`,
      )
    const [{ readSquare }, { attackImages }] = await Promise.all([import('../photographs'), import('../attack-images')])
    const secrets = paths.map((path, i) => ({ source: path, image: readSquare(path, size), label: labels[i] }))
    return attackImages({ command: 'batch', secrets, network: net }, settings, terminal)
  },
}
