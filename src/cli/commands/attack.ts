import type { Command } from '../command'
import { FILE_ATTACK_OPTIONS, fileAttack } from '../file-attack-options'

/** A gradient from elsewhere, and not one that the command computes itself. */
export const attack: Command = {
  name: 'attack',
  usage: '--model model.json --gradients FILE',
  summary: 'a gradient that your own set-up shared, out of files',
  description: `Takes a tfjs or ONNX model and the gradient that a client shared, from PyTorch, Keras, JAX, Flower or tfjs, and
searches for the data. Writes data.npz (the reconstruction as data, label probabilities as targets), gallery.png where
samples are pictures, and result.json. Gradients are told apart by the names in model.json; a file without names
counts by its order. How the client trains must be said as it is: loss, reduction, batch size, range of the data.
Without --original nobody knows the data, so the best that is said is that the gradient was matched: look at what came
back. dlg check tells beforehand whether the model can be attacked, and by what. --attack runs another attack than the
search: those in closed form take less than a second.`,
  options: FILE_ATTACK_OPTIONS,
  examples: [
    'dlg attack --model model/model.json --gradients gradients.safetensors',
    'dlg attack --model model.json --gradients grads.npz --layout pytorch --map layers.json --batch-size 4 --labels infer',
    'dlg attack --model mlp.json --gradients grads.npz --attack spear',
    'dlg attack --model model.json --before w0.npz --after w1.npz --learning-rate 0.01 --original photo.png',
  ],
  async run(args, terminal) {
    const options = fileAttack(args)
    // what it pulls in takes a while to load, and wrong input should be told at once
    if (options.attack !== 'gradient-matching') {
      const { attackByName } = await import('../attack-by-name')
      return attackByName(options.attack, options, terminal)
    }
    const { attackFile } = await import('../attack-file')
    return attackFile(options, terminal)
  },
}
