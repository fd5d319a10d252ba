import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { attackOptions, PLAYED, playedSettings } from '../attack'
import type { Command } from '../command'
import { without } from '../flags'
import { classCount, defaultClass, imageSize, NETWORK_OPTIONS, network, PHOTO_OPTIONS } from '../photographs'

/** The original's `--image`. */
export const image: Command = {
  name: 'image',
  usage: 'PHOTO',
  summary: 'one photograph, PNG or JPEG, from the gradient of one training step',
  description: `Trains the paper's LeNet one step on a photograph, keeps the gradient alone, and reconstructs the photograph and its
label from it. Writes strip.png (original, noise, steps, result), steps.gif (the same as a film) and result.json
(status, label, mse, psnr, ssim, evaluations, seconds, seed, runtime, options, versions). Above 30 dB the eye hardly
sees a difference, below 20 dB the picture is another.`,
  options: {
    ...PHOTO_OPTIONS,
    class: { value: 'N', help: 'the class the client trains the photograph as (default: the seed modulo the classes)' },
    ...NETWORK_OPTIONS,
    ...attackOptions('image', without(PLAYED, 'batchUpdate')),
  },
  examples: [
    'dlg image photo.jpg',
    'dlg image photo.png --size 64 --weights-init default --out leak64',
    'dlg image photo.jpg --labels infer --seed 3 --json',
  ],
  async run(args, terminal) {
    const settings = playedSettings(args)
    const [size, classes] = [imageSize(args), classCount(args)]
    const net = network(args, classes)
    const label = args.has('class') ? args.whole('class', 0, classes - 1) : defaultClass(settings, 0, classes)
    const [path, ...more] = args.positionals
    if (path === undefined || more.length > 0)
      throw new DlgError(
        'invalid-option',
        `${countOf(args.positionals.length, 'image')} given; dlg image takes one${more.length > 0 ? ', dlg batch takes several' : ''}`,
      )
    // what it pulls in takes a while to load, and wrong input should be told at once
    const [{ readSquare }, { attackImages }] = await Promise.all([import('../photographs'), import('../attack-images')])
    const secrets = [{ source: path, image: readSquare(path, size), label }]
    return attackImages({ command: 'image', secrets, network: net }, settings, terminal)
  },
}
