import { DlgError } from '../../errors/dlg-error'
import type { Arguments } from '../arguments'
import type { Command } from '../command'
import { flagsOf, OWN_DEFAULTS, readFlags } from '../flags'
import { GRADIENT_OPTIONS, gradientFiles, modelFile } from '../gradient-files'
import { BACKENDS } from '../runtime'
import { CHECKED } from '../training'

/** Flags of a shared gradient that say something of a model as well. */
const OF_MODEL = ['model', 'weights', 'import']

/** @throws DlgError `invalid-option` for flags that say how a gradient is read, where there is none */
function refuseGradientFlags(args: Arguments): void {
  const names = Object.keys(GRADIENT_OPTIONS).filter((name) => !OF_MODEL.includes(name))
  // weights of PyTorch may need to be told how they lie, and which layer is which
  const ofWeights = args.has('weights') ? ['map', 'layout'] : []
  const lone = names.find((name) => args.given(name) && !ofWeights.includes(name))
  if (lone)
    throw new DlgError(
      'invalid-option',
      `--${lone} is of a shared gradient, which is not given; give --gradients, or --before and --after, with --data and --labels`,
    )
}

/** What to run before dlg attack. */
export const check: Command = {
  name: 'check',
  usage: '--model model.json',
  summary: 'whether a model can be attacked, how long it takes, and what stands in the way',
  description: `Traces a tfjs, Keras or ONNX model and says what an attack needs to know: size and time, whether tfjs's own gradient is
right, whether the derivative of the search agrees with finite differences, saturated or dead layers, and which
attacks apply. Without --data the example is random, which does for everything but saturated and dead layers. Writes
nothing. With --gradients (or --before and --after) it says whether these data have that gradient, and which weights
differ most: the first question where an attack matches nothing. Ends with 1 when something is wrong: an operation
that is not traced, a wrong gradient, or another one than was shared.`,
  options: {
    ...GRADIENT_OPTIONS,
    model: { value: 'FILE', help: "the client's model.json, a tfjs layers model, or its .keras or .onnx" },
    gradients: {
      value: 'FILE',
      help: 'what a client shared on --data and --labels: is it the gradient of this model, this loss and these data?',
    },
    data: { value: 'FILE', help: 'a batch, as tensors by input name or in the order of the inputs (default: random)' },
    labels: { value: 'N,N,...', help: 'the classes of the batch (default: random)' },
    ...flagsOf(CHECKED, { seed: OWN_DEFAULTS.seed }),
    backend: { value: 'NAME', default: 'cpu', help: `of tfjs, whose gradient is checked: ${BACKENDS.join(', ')}` },
    json: { help: 'print everything as JSON instead of lines' },
    help: { help: 'this text' },
  },
  examples: [
    'dlg check --model model/model.json',
    'dlg check --model model.json --batch-size 8 --training --backend wasm',
    'dlg check --model model.json --data batch.npz --labels 3,1 --json',
    'dlg check --model model.json --data batch.npz --labels 3,1 --gradients g.safetensors --layout pytorch',
  ],
  async run(args, terminal) {
    const model = modelFile(args, 'the model is given with --model')
    const shared = ['gradients', 'before', 'after'].some(args.has)
    if (shared && !(args.has('data') && args.has('labels')))
      throw new DlgError('invalid-option', 'a gradient is compared with that of data; give --data and --labels too')
    if (!shared) refuseGradientFlags(args)
    const options = {
      model,
      files: shared ? gradientFiles(args) : undefined,
      imported: args.text('import'),
      weights: args.text('weights'),
      map: args.text('map'),
      data: args.text('data'),
      labels: args.wholes('labels', 0, Number.MAX_SAFE_INTEGER),
      given: readFlags(CHECKED, args),
      backend: args.choice('backend', BACKENDS),
      json: args.has('json'),
    }
    // what it pulls in takes a while to load, and wrong input should be told at once
    const { checkFile } = await import('../check-file')
    return checkFile(options, terminal)
  },
}
