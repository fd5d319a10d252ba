import { readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { parseNpz, writeNpz, writeSafetensors } from '../../src/io'
import { convNet, sample } from '../attacks/matching/tiny'
import { gradientFile, stepped, weightsOf, writeModel } from './model-files'
import { dlg, scratch, spawnDlg, writePhoto } from './terminal'

const folder = scratch()

type Tensors = ReturnType<typeof weightsOf>

/** The same tensors but for one, which is another or none. */
function but(tensors: Tensors, at: number, tensor?: { shape: number[]; data: Float32Array }, name?: string): Tensors {
  return new Map(
    [...tensors].flatMap(([key, value], i) => (i !== at ? [[key, value]] : tensor ? [[name ?? key, tensor]] : [])),
  )
}

/** What the cases name: files in the test's folder. */
async function prepare(): Promise<void> {
  await tf.setBackend('cpu')
  const model = convNet()
  const x = sample([1, 6, 6, 1])
  await writeModel(model, folder.at('model.json'))
  const gradients = await gradientFile(model, x, [2])
  const before = weightsOf(model)
  x.dispose()
  model.dispose()
  const write = (name: string, bytes: Uint8Array | string) => writeFileSync(folder.at(name), bytes)
  const [kernel] = [...gradients.values()]
  const npz = {
    'g.npz': gradients,
    'zero.npz': new Map([...gradients].map(([name, { shape, data }]) => [name, { shape, data: data.map(() => 0) }])),
    'nan.npz': but(gradients, 0, { shape: kernel.shape, data: kernel.data.map(() => Number.NaN) }),
    'hole.npz': new Map([['x', { shape: [1, 6, 6, 1], data: new Float32Array(36).fill(Number.NaN, 7, 8) }]]),
    'shape.npz': but(gradients, 0, { shape: [3, 3, 4, 1], data: kernel.data }),
    'few.npz': but(gradients, 2),
    'stranger.npz': but(gradients, 0, kernel, 'conv1.weight'),
    'unnamed.npz': new Map([...but(gradients, 3).values()].map((g, i) => [`arr_${i}`, g])),
    'before.npz': before,
    'after.npz': stepped(before, gradients, 0.1),
    'after-shape.npz': but(before, 1, { shape: [2, 2], data: new Float32Array(4) }),
    'after-few.npz': but(before, 1),
  }
  for (const [name, tensors] of Object.entries(npz)) write(name, writeNpz(tensors))
  const whole = writeSafetensors(gradients)
  write('cut.safetensors', whole.subarray(0, whole.length - 40))
  write('cut.npz', readFileSync(folder.at('g.npz')).subarray(0, 300))
  write('g.pt', Buffer.from([0x80, 2, 0x7d, 0x71, 0]))
  write('notes.txt', 'no model')
  write('list.json', '[1, 2]')
  write('map.json', '{"map": {"a": 1}}')
  const json = JSON.parse(readFileSync(folder.at('model.json'), 'utf8'))
  const [conv] = json.modelTopology.config.layers
  const other = structuredClone(json)
  other.modelTopology.config.layers[0] = { ...conv, class_name: 'Fourier' }
  write('unknown.json', JSON.stringify(other))
  write(
    'lost.json',
    JSON.stringify({ ...json, weightsManifest: [{ ...json.weightsManifest[0], paths: ['gone.bin'] }] }),
  )
  write(
    'short.json',
    JSON.stringify({ ...json, weightsManifest: [{ ...json.weightsManifest[0], paths: ['short.bin'] }] }),
  )
  write('short.bin', readFileSync(folder.at('weights.bin')).subarray(8))
  writePhoto(folder.at('photo.png'), 0, 12)
}

describe('wrong files are one line and exit code 2, and leave nothing', () => {
  beforeEach(prepare)

  const G = '--model @model.json --gradients @g.npz'
  const STEP = '--model @model.json --before @before.npz --after'

  it.each<[string, string]>([
    ['attack', 'no model given; --model takes a model.json of tfjs, a .keras archive or an .onnx file'],
    ['attack @g.npz', 'is not an option; the files are given with --model and --gradients'],
    ['attack --model @model.json', 'no gradient given; give --gradients, or --before and --after with --learning-rate'],
    [`attack ${G} --before @before.npz`, '--gradients and --before given; give --gradients, or --before and --after'],
    ['attack --model @model.json --after @after.npz', '--after given; give --gradients, or'],
    ['attack --model @none.json --gradients @g.npz', 'none.json: no such file'],
    ['attack --model @notes.txt --gradients @g.npz', 'notes.txt: is not JSON'],
    ['attack --model @list.json --gradients @g.npz', 'list.json: has no weightsManifest'],
    ['attack --model @lost.json --gradients @g.npz', 'gone.bin: no such file'],
    ['attack --model @short.json --gradients @g.npz', 'short.json: '],
    ['attack --model @unknown.json --gradients @g.npz', 'unknown.json: tfjs cannot build this model: '],
    ['attack --model @model.json --gradients @none.npz', 'none.npz: no such file'],
    [
      'attack --model @model.json --gradients @notes.txt',
      'notes.txt: starts with 6e 6f 20 6d, which no known format does',
    ],
    ['attack --model @model.json --gradients @cut.npz', 'cut.npz: '],
    ['attack --model @model.json --gradients @cut.safetensors', 'cut.safetensors: '],
    [
      'attack --model @model.json --gradients @g.pt',
      'g.pt: is a Python pickle, which can run code when it is read, so it never is; if you trust it, convert it in Python: import torch from safetensors.torch import save_file',
    ],
    [
      'attack --model @model.json --gradients @shape.npz',
      "/kernel' has shape [3, 3, 4, 1]; the weight has [3, 3, 1, 4]",
    ],
    [
      'attack --model @model.json --gradients @few.npz',
      "/kernel' [64, 4], a trained weight; --partial leaves such weights out",
    ],
    [
      'attack --model @model.json --gradients @stranger.npz',
      "stranger.npz: 'conv1.weight' is no weight of the model, which has ",
    ],
    ['attack --model @model.json --gradients @unnamed.npz', 'unnamed.npz: 3 tensors for 4 trained weights: '],
    ['attack --model @model.json --gradients @nan.npz', 'is NaN at position 0; every number must be finite'],
    ['attack --model @model.json --gradients @zero.npz', 'every shared gradient is zero'],
    ['attack --model @model.json --gradients @g.npz --layout pytorch', 'g.npz: no PyTorch layer fits '],
    [`attack ${STEP} @after.npz`, '--before and --after need --learning-rate'],
    [`attack ${STEP} @after.npz --learning-rate 0`, '--learning-rate is 0: such a step changes nothing'],
    [`attack ${STEP} @after.npz --learning-rate x`, "--learning-rate is 'x'; it must be a number from 0"],
    [`attack ${STEP} @after-shape.npz --learning-rate 1`, 'has shape [2, 2]; in '],
    [`attack ${STEP} @after-few.npz --learning-rate 1`, "after-few.npz: has no 'conv2d_Conv2D"],
    [
      `attack ${STEP} @before.npz --learning-rate 1`,
      'the weights before and after are the same: there is nothing to match',
    ],
    [
      `attack ${STEP} @after.npz --learning-rate 1 --local-batch-size 2`,
      '--local-batch-size is 2, more than the 1 sample of --batch-size; it must be at most that',
    ],
    [`attack ${STEP} @after.npz --learning-rate 1 --momentum 1`, "--momentum is '1'; it must be a number in [0, 1)"],
    [`attack ${G} --epochs 2`, '--epochs is of the training between --before and --after, which are not given'],
    [
      `attack ${STEP} @after.npz --learning-rate 1 --epochs 2 --local-steps 2`,
      'update has both --epochs and --local-steps, which say the same; give one',
    ],
    [`attack ${STEP} @after.npz --scale auto --epochs 2`, '--learning-rate is not given; it must be a number above 0'],
    [`attack ${STEP} @after.npz --approach best`, '--before and --after need --learning-rate'],
    [
      `attack ${STEP} @after.npz --learning-rate 1 --approach best`,
      "--approach is 'best'; it must be unrolled or one-step or surrogate",
    ],
    [`attack ${G} --approach surrogate`, '--approach is of the training between --before and --after'],
    [`attack ${G} --local-steps 2`, '--local-steps is of the training between --before and --after'],
    [`attack ${G} --scale auto --sign minus`, '--scale says of --gradients what --learning-rate and --sign say'],
    [`attack ${G} --scale 2 --learning-rate 0.1`, '--scale says of --gradients what --learning-rate and --sign say'],
    [`attack ${G} --map @map.json`, '--map says which PyTorch layer is which; it belongs to --layout pytorch'],
    [`attack ${G} --map @map.json --layout pytorch`, 'map.json: map has no layer names; it must be like {"map"'],
    [`attack ${G} --map @list.json --layout pytorch`, 'list.json: is no object; it must be like'],
    [`attack ${G} --by-order --layout pytorch`, '--by-order belongs to --layout tfjs'],
    [`attack ${G} --partial --layout pytorch`, '--partial belongs to --layout tfjs'],
    [`attack ${G} --layout keras`, "--layout is 'keras'; it must be tfjs or pytorch"],
    [`attack ${G} --sign negative`, "--sign is 'negative'; it must be plus or minus"],
    [`attack ${G} --labels guess`, "--labels is 'guess'; it must be joint or infer or classes such as 3,1"],
    [`attack ${G} --labels 1,2`, '2 labels for a batch of 1; give one for each sample'],
    [`attack ${G} --labels 9`, 'label 9 is not a class index in [0, 4)'],
    [`attack ${G} --batch-size 0`, "--batch-size is '0'; it must be a whole number from 1 to 1024"],
    [`attack ${G} --criterion focal`, "--criterion is 'focal'; it must be crossEntropy or binaryCrossEntropy or"],
    [`attack ${G} --reduction max`, "--reduction is 'max'; it must be mean or sum"],
    [`attack ${G} --range 1`, "--range is '1'; it must be two numbers, the lower first"],
    [`attack ${G} --range 1,0`, "--range is '1,0'"],
    [`attack ${G} --format hdf5`, "--format is 'hdf5'; it must be npz or safetensors"],
    [`attack ${G} --concurrency 0`, "--concurrency is '0'; it must be a whole number from 1 to 64"],
    [`attack ${G} --batch-update none`, "--batch-update is 'none'; it must be together or one-by-one"],
    [`attack ${G} --original @none.png`, 'none.png: no such file'],
    [`attack ${G} --original @photo.png`, "photo.png: the image is 12x12; the model's input is 6x6"],
    [`attack ${G} --original @g.npz`, "g.npz: has 4 tensors, none of them 'conv2d_Conv2D"],
    [`attack ${G} --original @hole.npz`, 'hole.npz: has NaN at number 7; every number must be finite'],
    [`attack ${G} --known @g.npz`, 'known have one for '],
    [`attack ${G} --out @notes.txt`, 'is a file; give a folder'],
    ['check', 'no model given; --model takes a model.json of tfjs, a .keras archive or an .onnx file'],
    ['check @model.json', 'is not an option; the model is given with --model'],
    ['check --model @none.json', 'none.json: no such file'],
    ['check --model @notes.txt', 'notes.txt: is not JSON'],
    ['check --model @model.json --data @g.npz', 'g.npz: 4 tensors for 1 input: conv2d_Conv2D'],
    ['check --model @model.json --data @g.pt', 'g.pt: is a Python pickle'],
    ['check --model @model.json --labels 7', 'label 7 is not a class index in [0, 4)'],
    ['check --model @model.json --labels a', "--labels is 'a'; it must be a whole number"],
    ['check --model @model.json --backend webgl', "--backend is 'webgl'; it must be cpu or wasm"],
    ['check --model @model.json --out x', "unknown option '--out'"],
  ])('dlg %s', async (line, message) => {
    const before = folder.names()
    const argv = line.split(' ')
    const words = argv.map((word) => word.replace(/^@(.*)/, (_, name) => folder.at(name)))
    const out = argv.includes('--out') || argv[0] === 'check' ? [] : ['--out', folder.at('out')]
    const { code, stdout, stderr } = await dlg([...words, ...out, '--runtime', 'tfjs'])
    expect(stderr).toMatch(/^dlg: [^\n]+\n$/)
    expect(stderr).toContain(message)
    expect([code, stdout]).toEqual([2, ''])
    expect(folder.names()).toEqual(before)
  })

  it('as a process', async () => {
    const argv = ['attack', '--model', folder.at('model.json'), '--gradients', folder.at('shape.npz')]
    const { code, stdout, stderr } = await spawnDlg([...argv, '--out', folder.at('out')])
    expect([code, stdout]).toEqual([2, ''])
    const [name] = [...parseNpz(readFileSync(folder.at('g.npz'))).keys()]
    expect(stderr).toBe(
      `dlg: ${folder.at('shape.npz')}: '${name}' has shape [3, 3, 4, 1]; the weight has [3, 3, 1, 4]\n`,
    )
    expect(folder.names()).not.toContain('out')
  })
})
