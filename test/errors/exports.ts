import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import * as tfl from '@tensorflow/tfjs-layers'
import * as analytic from '../../src/analytic'
import * as attacks from '../../src/attacks'
import * as audit from '../../src/audit'
import * as defences from '../../src/defences'
import * as main from '../../src/index'
import * as io from '../../src/io/index'
import * as metrics from '../../src/metrics'
import * as models from '../../src/models'
import * as report from '../../src/report'
import * as web from '../../src/runtime/onnx/web'
import * as tabular from '../../src/tabular'
import * as text from '../../src/text'
import * as worker from '../../src/worker'
import { functionalNet, sample } from '../attacks/matching/tiny'
import { writeOnnx } from '../models/onnx/write-onnx'
import { graphModel } from '../models/tensorflow/graph-def-cases'

/** Everything that a user can import, by entry. `graph` is a namespace of the first. */
export const entries = {
  'dlg-ts': main,
  'dlg-ts graph': main.graph,
  'dlg-ts/analytic': analytic,
  'dlg-ts/attacks': attacks,
  'dlg-ts/defences': defences,
  'dlg-ts/audit': audit,
  'dlg-ts/report': report,
  'dlg-ts/metrics': metrics,
  'dlg-ts/tabular': tabular,
  'dlg-ts/text': text,
  'dlg-ts/models': models,
  'dlg-ts/io': io,
  'dlg-ts/onnx-web': web,
  'dlg-ts/worker': worker,
} as const

/** Right arguments of one export. */
export type Right = () => readonly unknown[] | Promise<readonly unknown[]>

const model = functionalNet()
const x = sample([1, 8])
const shared = await main.gradientsOf(model, x, [1], { runtime: 'reference' })
const quick = { runtime: 'reference', iterations: 1, restarts: 1, budget: { evaluations: 2 } } as const

const target = await attacks.targetOf(model, shared, { runtime: 'reference' })
const about: audit.RunAbout = { versions: { 'dlg-ts': '1' }, seed: 1, evaluations: 10, batchSize: 1 }
const trial: audit.TrialRecord = {
  ...{
    type: 'trial',
    key: 'k',
    client: 0,
    samples: ['a'],
    attack: 'spear',
    defence: 'none',
    description: 'no defence',
  },
  ...{ attacker: 'adaptive', status: 'failed', reason: 'none', evidence: {}, evaluations: 3, milliseconds: 1 },
}
const plan: audit.Plan = { key: 'p', chains: [], undefended: true, withData: true }
const audited = { plan, records: [trial], interrupted: false }
const journal = audit.journalLine(audit.runHeader(plan, about)) + audit.journalLine(trial)
const judged = audit.judge(audited)

const sharing: defences.Defence = {
  name: 'none',
  description: 'nothing is done',
  apply: (gradients) => gradients,
  adapt: (given) => given,
}

/** What only the library makes: its parts are none of the caller's business. */
const opaque = new WeakSet<object>([target, plan, trial, judged])

/** Two numbers, and six categories: as many inputs as the model has. */
const schema: tabular.TableSchema = {
  columns: [
    { kind: 'numeric', name: 'age', mean: 40, std: 12 },
    { kind: 'numeric', name: 'weight' },
    { kind: 'categorical', name: 'town', categories: ['a', 'b', 'c', 'd', 'e', 'f'] },
  ],
}
/** Any data of the model are a record of it, which is read off without a search. */
const allNumbers: tabular.TableSchema = {
  columns: Array.from({ length: 8 }, (_, i) => ({ kind: 'numeric', name: `n${i}` })),
}
const records = [{ age: 30, weight: 1.5, town: 'b' }]
const confidence = [{ age: 1, weight: 0.5, town: 1 }]

const sizes = { vocabularySize: 20, hidden: 8, layers: 2, heads: 2, intermediate: 8, positions: 6 } as const
const encoder = text.randomBert(sizes)
const decoder = text.randomGpt(sizes)
const gatedDecoder = text.randomLlama(sizes)
const sentence = { tokens: [1, 5, 7, 2], label: 1 }
const adapters = () => ({ ...text.randomLora(encoder, { head: false }).weights })
const textShared = await text.textGradients(encoder, sentence, { runtime: 'reference' })
const decoderShared = await text.nextTokenGradients(decoder, [[1, 5, 7, 2]], { runtime: 'reference' })
const graphFile = graphModel([4], [{ op: 'MatMul', inputs: ['x', 'w'] }], {
  w: { floats: new Float32Array(12).fill(0.5), shape: [4, 3] },
})
const onnxFile = writeOnnx({
  nodes: [{ op: 'Gemm', inputs: ['x', 'w'], outputs: ['y'] }],
  initializers: { w: { dims: [3, 2], values: [1, 2, 3, 4, 5, 6] } },
  inputs: { x: ['batch', 3] },
  outputs: ['y'],
})
const table = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), width: 8 }
const vocabulary = text.wordPieceVocabulary('a man saw a cat', 40)
const tokenizer = text.wordPiece(vocabulary)
const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const tokenizerFile = JSON.stringify({
  version: '1.0',
  added_tokens: special.map((content, id) => ({ id, content, special: true })),
  normalizer: null,
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: null,
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    ...{ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
})
const firstInputs = {
  words: table,
  positions: table,
  gamma: new Float32Array(8).fill(1),
  beta: new Float32Array(8),
  epsilon: 1e-5,
}
const dense = { weight: Float32Array.from([1, 2, 3, 4, 5, 6]), bias: Float32Array.from([1, 2]) }

const { graph: g } = main
const graph = g.createGraph()
const node = g.input(graph, 'x', [2, 3])
const square = g.input(graph, 'square', [3, 3])
const picture = g.input(graph, 'picture', [1, 2, 5, 5])
const filter = g.parameter(graph, 'filter', [3, 2, 3, 3])
const geometry = { strides: [1, 1], padLow: [0, 0], padHigh: [0, 0], dilations: [1, 1], groups: 1 }
const convolved = g.conv(picture, filter, geometry)
const indices = g.constant(graph, [0, 1], [2])
const one: Right = () => [node]
const two: Right = () => [node, node]
const none: Right = () => []

const image = { width: 12, height: 12, data: new Float32Array(432).fill(0.5) }
const tensors = new Map([['w', { shape: [2], data: [1, 2] }]])
const folder = mkdtempSync(join(tmpdir(), 'dlg-errors-'))
const at = (name: string, content: Uint8Array | string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const tensorFile = at('w.npz', io.writeNpz(tensors))
const pictureFile = at('p.png', io.encodePng(image))
const modelFile = at('model.json', '{"modelTopology": {}, "weightsManifest": []}')
const specs = [{ name: 'dense/kernel', shape: [3, 2] }]
const torch = new Map([['fc.weight', { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }]])
const keras = new Map([['dense/kernel', { shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }]])
const torchSpecs = [{ name: 'fc.weight', shape: [2, 3] }]

/** Right arguments of every export that is a function. */
export const rows: { readonly [entry in keyof typeof entries]: { readonly [name: string]: Right } } = {
  'dlg-ts': {
    // takes whatever it is told: it is what is thrown
    DlgError: () => [],
    adam: () => [{}],
    auto: none,
    balanced: none,
    binaryCrossEntropy: () => [{}],
    box: () => [1, [0, 1]],
    checkModel: () => [model, { x, y: [1] }, { runtime: 'reference' }],
    colorTotalVariation: () => [1, 4],
    cosine: none,
    crossEntropy: () => [{}],
    deepLeakage: () => [model, shared, quick],
    deepLeakageFromGradients: () => [model, shared, quick],
    describeCheck: async () => [await main.checkModel(model, { x, y: [1] }, { runtime: 'reference' })],
    gradientsOf: () => [model, x, [1], { runtime: 'reference' }],
    huber: () => [{}],
    infer: none,
    inferLabels: () => [model, shared, { batchSize: 1 }],
    joint: () => ['classes'],
    known: () => [[1]],
    l2: none,
    lbfgs: () => [{}],
    meanAbsoluteError: () => [{}],
    meanSquaredError: () => [{}],
    batchNorm: () => [1],
    norm: () => [1],
    oneByOne: () => [main.adam(), [[[0, 2]]]],
    onnx: () => [{}],
    recover: () => [main.adam(), {}],
    reference: none,
    releaseCompiled: none,
    spectral: () => [1],
    whitened: none,
    strongWolfe: () => [{}],
    tfjs: none,
    tokenCrossEntropy: () => [{}],
    undoPreprocessing: () => [[0, 1], { mean: 0.5, std: [0.2, 0.3] }],
    totalVariation: () => [1],
  },
  'dlg-ts graph': {
    ...Object.fromEntries(
      ['abs', 'exp', 'log', 'logSoftmax', 'neg', 'relu', 'sigmoid', 'softmax', 'sqrt', 'square', 'swapLast', 'tanh']
        .concat(['uniformValue', 'unshaped'])
        .map((name) => [name, one]),
    ),
    ...Object.fromEntries(
      ['add', 'div', 'equal', 'inner', 'less', 'maximum', 'minimum', 'mul', 'pow', 'sub', 'swish'].map((name) => [
        name,
        two,
      ]),
    ),
    alignPermutation: () => [[1, 0], 3],
    argmax: () => [node, 1],
    binary: () => ['add', node, node],
    broadcast: () => [node, [4, 2, 3]],
    broadcastShapes: () => [[2, 3], [3]],
    concat: () => [[node, node], 0],
    constant: () => [graph, [1, 2], [2]],
    conv: () => [picture, filter, geometry],
    convFilterGrad: () => [picture, convolved, geometry, [3, 2, 3, 3]],
    convInputGrad: () => [convolved, filter, geometry, [1, 2, 5, 5]],
    convOutputSize: () => [[5, 5], [3, 3], geometry],
    createGraph: none,
    fill: () => [graph, 1, [2]],
    gather: () => [square, indices],
    grad: () => [g.sum(node), [node], g.sum(node)],
    smoothMaximum: () => [node, node, node],
    pullBack: () => [[g.sum(node)], [g.sum(node)], [node]],
    input: () => [graph, 'y', [2]],
    inversePermutation: () => [[1, 0]],
    iota: () => [graph, 3],
    joinedPads: two,
    keepsOrder: () => [
      [2, 3],
      [1, 0],
    ],
    gemm: () => [node, square, 2, node, -1],
    matMul: () => [node, square],
    max: () => [node, [1]],
    mean: () => [node, [1]],
    min: () => [node, [1]],
    moments: () => [node, [1]],
    normalizeAxes: () => [[-1], 2],
    offset: () => [node, 1],
    oneHot: () => [g.argmax(node, 1), 1, 3],
    pad: () => [node, [0, 0], [0, 1], [0, 0]],
    padRank: () => [[2], 3],
    parameter: () => [graph, 'p', [2]],
    range: () => [3],
    reachable: () => [[node]],
    reshape: () => [node, [3, 2]],
    reverse: () => [node, [1]],
    sameShape: () => [[2], [2]],
    scalar: () => [graph, 1],
    scale: () => [node, 2],
    scatterAdd: () => [g.gather(square, indices), indices, [3, 3]],
    select: () => [node, node, node],
    sizeOf: () => [[2, 3]],
    slice: () => [node, [0, 0], [1, 2], [1, 1]],
    sliceAxis: () => [node, 1, 0, 2],
    standardize: () => [node, 1e-3],
    inverseDeviation: () => [node, 1e-3],
    standardizeGrad: () => [node, node, 1e-3],
    stridesOf: () => [[2, 3]],
    substitute: () => [[g.exp(node)], new Map([[node, g.neg(node)]])],
    sum: () => [node, [1]],
    surround: () => [node, [0, 0], [0, 1], -Infinity],
    sumTo: () => [node, [1, 3]],
    transpose: () => [node, [1, 0]],
    unary: () => ['exp', node],
  },
  'dlg-ts/analytic': {
    denseRows: () => [dense, { weight: dense.weight.slice(), bias: dense.bias.slice() }, { budget: { draws: 10 } }],
    exactData: () => [model, shared, { runtime: 'reference' }],
    exactPatches: () => [model, shared, { runtime: 'reference' }],
    embeddingGroups: () => [table, 1e-4],
    exactSequences: () => [text.transformerOf(decoder), decoderShared, {}],
    firstDense: () => [model, {}],
    gradientRanks: () => [shared, {}],
    invertDense: () => [dense, 1e-5],
    isolatedInputs: () => [dense, {}],
    lossGradients: () => [new Float32Array(6), [Float32Array.from([1, 2, 3])], [0]],
    proofOf: () => [model, { data: x, labels: [1] }, shared, { runtime: 'reference' }],
    sequenceLength: () => [table],
    spanTokens: () => [firstInputs, [table.data], 2, [0, 1]],
    spear: () => [model, shared, { runtime: 'reference', budget: { draws: 10 } }],
    tiedTokenSet: () => [table, Float32Array.from([1, -1, 1, 1, 1]), 2],
    tokenSet: () => [table, 0],
    tokensByNorm: () => [table, 0.01],
  },
  'dlg-ts/attacks': {
    attack: () => ['label-inference', target, {}, {}],
    outcome: () => ['mine', 0, {}, { status: 'failed', reason: 'nothing was found' }],
    runAttack: () => [attacks.attacks['label-inference'], target, {}, {}],
    targetOf: () => [model, shared, { runtime: 'reference' }],
  },
  'dlg-ts/defences': {
    auditMechanism: () => [
      (canaries: readonly Float64Array[]) => canaries[0],
      { dimensions: 100, norm: 1, claim: { epsilon: 1, delta: 1e-5 }, canaries: 20, confidence: 0.9, seed: 1 },
    ],
    clipping: () => [{ norm: 1, per: 'tensor' }],
    composed: () => [sharing, sharing],
    defended: () => [target, sharing, { seed: 1 }],
    dpSgd: () => [
      { clip: 1, noiseMultiplier: 1, sampleRate: 0.1, examples: [[Float64Array.of(1)], [Float64Array.of(2)]] },
    ],
    epsilonOf: () => [
      { noiseMultiplier: 2, sampleRate: 0.1, steps: 3 },
      { delta: 1e-5, accountant: 'rdp' },
    ],
    gaussianNoise: () => [{ std: 0.1 }],
    laplaceNoise: () => [{ relative: 0.1 }],
    noiseMultiplierFor: () => [{ epsilon: 3, delta: 1e-5, accountant: 'rdp', sampleRate: 0.1, steps: 3 }],
    pruning: () => [{ part: 0.5, per: 'all' }],
    quantised: () => ['int8', { rounding: 'stochastic' }],
    reconstructionBound: () => [{ noiseMultiplier: 1, norm: 3, looks: 2, range: 1 }],
    signs: () => [],
    topK: () => [{ part: 0.5 }],
    utilityOf: () => [[Float64Array.of(1, 2)], [Float64Array.of(1, 3)]],
    withheld: () => [['w']],
  },
  'dlg-ts/audit': {
    audit: () => [
      { model, data: { x, labels: [1] }, attacks: ['label-inference'], training: { runtime: 'reference' } },
      {},
    ],
    exitCodeOf: () => [judged, 'leaked'],
    journalLine: () => [trial],
    judge: () => [audited, {}],
    parseJournal: () => [journal],
    runHeader: () => [plan, about],
    runOf: () => [audit.parseJournal(journal)],
    staticFindings: () => [model, shared, { runtime: 'reference', data: { x, labels: [1] } }],
    withoutKnown: () => [judged, { baseline: judged, accepted: [], today: '2026-12-31' }],
  },
  'dlg-ts/report': {
    auditHtml: () => [judged, about, { originals: new Map(), found: new Map() }, []],
    auditJson: () => [judged, about, []],
    auditJunit: () => [judged, 'leaked', []],
    auditMarkdown: () => [judged, about, []],
    auditSarif: () => [judged, about, 'audit.json', []],
  },
  'dlg-ts/metrics': {
    baselines: () => [[0, 1], {}],
    meanSquaredError: () => [[1], [2]],
    measureSamples: () => [[[0, 1]], [0, 1], {}],
    mse: () => [[1], [2]],
    rouge: () => [[1], [1]],
    pairSamples: () => [[[0, 1]], [0, 1], {}],
    psnr: () => [[1], [2]],
    ssim: () => [image, image],
    verdictOf: () => ['converged', [{ alike: true }]],
  },
  'dlg-ts/models': {
    modelFromGraphModel: () => [graphFile, {}],
    modelFromOnnx: () => [onnxFile, {}],
    registerKerasLayers: () => [tfl],
  },
  'dlg-ts/tabular': {
    decodeTable: () => [schema, new Float32Array(8)],
    deepLeakageFromTable: () => [model, shared, allNumbers, { ...quick, exact: false }],
    encodeTable: () => [schema, records],
    inferTableSchema: () => ['a,b\n1,x\n2,y', {}],
    measureTable: () => [records, { records, confidence }, schema, {}],
    readTable: () => [tabular.tableCsv({ records, confidence }), schema],
    tableCsv: () => [{ records, confidence }],
    tableHtml: () => [{ records, confidence }],
    tableSchema: () => [schema],
    tableText: () => [{ records, confidence }, 80],
  },
  'dlg-ts/text': {
    bagAccuracy: () => [[1], [1]],
    balanced: none,
    bert: () => [encoder.config, { ...encoder.weights }, 'mean'],
    deepLeakageFromText: () => [encoder, textShared, quick],
    classGradients: () => [encoder, [[1, 5, 2]], [0], { runtime: 'reference' }],
    fromPretrained: () => [
      '{"model_type":"gpt2","vocab_size":20,"n_embd":8,"n_layer":2,"n_head":2,"n_inner":8,"n_positions":6}',
      { ...decoder.weights },
      {},
    ],
    encodeFor: () => [{ config: { ...encoder.config, vocabularySize: vocabulary.length } }, tokenizer, 'a man'],
    gpt: () => [decoder.config, { ...decoder.weights }],
    llama: () => [gatedDecoder.config, { ...gatedDecoder.weights }],
    lora: () => [encoder, adapters(), { alpha: 8 }],
    maskTokens: () => [[1, 5, 7, 2], 3, 1, 0.15],
    nearestTokens: () => [table, table, [0, 1]],
    nextTokenGradients: () => [decoder, [[1, 5, 2]], { runtime: 'reference' }],
    parseBertConfig: () => [
      '{"vocab_size":20,"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":8,"max_position_embeddings":6,"type_vocab_size":2}',
    ],
    parseTokenizer: () => [tokenizerFile],
    randomBert: () => [sizes],
    randomGpt: () => [sizes],
    randomLlama: () => [sizes],
    randomLora: () => [encoder, {}],
    randomHead: () => [encoder.config, 'mean', {}],
    sequenceLength: () => [table],
    spanTokens: () => [firstInputs, [table.data], 2, [0, 1]],
    tag: () => [0.01],
    textGradients: () => [encoder, sentence, { runtime: 'reference' }],
    tiedTokenSet: () => [table, Float32Array.from([1, -1, 1, 1, 1]), 2],
    tokenAccuracy: () => [[1], [1]],
    tokenSet: () => [table, 0],
    tokensBySpan: () => [encoder, textShared, 4, [1, 5, 7, 2]],
    transformerOf: () => [decoder],
    wordPiece: () => [vocabulary],
    wordPieceVocabulary: () => ['a man saw a cat', 40],
  },
  'dlg-ts/io': {
    coarser: () => [{ dtype: 'float16' }, { dtype: 'float32' }],
    decodeImage: () => [io.encodePng(image), 'picture'],
    encodeGif: () => [[image], {}],
    encodePng: () => [image],
    fromPyTorch: () => [torch, specs, {}],
    gallery: () => [[[image]], {}],
    isWhole: () => [{ dtype: 'int8' }],
    modelFromFile: () => [modelFile, {}],
    parseMsgpack: () => [Uint8Array.from([0x80]), 'msgpack'],
    parseNpy: () => [io.writeNpy({ shape: [1], data: [1] }), 'npy'],
    parseNpz: () => [io.writeNpz(tensors), {}, 'npz'],
    parseSafetensors: () => [io.writeSafetensors(tensors)],
    parseTensorsJson: () => [new TextEncoder().encode('[[1]]'), 'json'],
    readFloatTensors: () => [tensorFile, {}],
    readImage: () => [pictureFile],
    readTensors: () => [tensorFile, {}],
    readTfjsWeights: () => [modelFile],
    resize: () => [image, 4, 4],
    squareCrop: () => [image],
    strip: () => [[image], {}],
    toPyTorch: () => [keras, torchSpecs, {}],
    toSquare: () => [image, 4],
    writeFileAtomic: () => [join(folder, 'out.bin'), new Uint8Array(2)],
    writeNpy: () => [{ shape: [1], data: [1] }, 'npy'],
    writeNpz: () => [tensors, {}],
    writeSafetensors: () => [tensors, {}],
  },
  'dlg-ts/onnx-web': {
    onnxWeb: () => [{}],
    startOnnxWeb: () => [],
  },
  'dlg-ts/worker': {
    connect: () => [silent],
    serve: () => [{ gradientsOf: main.gradientsOf }, silent],
  },
}

/** A worker that answers nothing: a real port would keep the process alive. */
const silent: worker.WorkerEndpoint = {
  postMessage() {},
  addEventListener() {},
  removeEventListener() {},
}

const disposed = tf.scalar(1)
disposed.dispose()
const stranger = g.input(g.createGraph(), 'x', [2, 3])

/** What may be wrong in any position. */
export const wrongs: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['{}', {}],
  ['[]', []],
  ['a word', 'word'],
  ['NaN', Number.NaN],
  ['-1', -1],
  ['1e9', 1e9],
  ['true', true],
  ['a function', () => undefined],
  ['[null]', [null]],
  ['[{}]', [{}]],
  ['[NaN]', [Number.NaN]],
  ['{shape: null}', { shape: null, data: null, config: null, weights: null, width: null, words: null }],
  ['{width: 0}', { data: new Float32Array(8), width: 0, height: 0, shape: [0] }],
  ['a disposed tensor', disposed],
  ['a Promise', Promise.resolve({})],
  ['a node of another graph', stranger],
  ['a near node', { op: 'input', inputs: [], shape: [2, 3], graph: {}, attributes: {} }],
  ['an object without a prototype', Object.create(null)],
]

/** Wrong values for a part of a right argument. */
const PARTS = [
  'undefined',
  'null',
  '{}',
  '[]',
  'a word',
  'NaN',
  '-1',
  '1e9',
  'a disposed tensor',
  'an object without a prototype',
]

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))

/** A right argument with one part wrong: each field of an object, the first element of a list, the first entry of a Map. */
export function nearMisses(value: unknown): [name: string, value: unknown][] {
  if (typeof value === 'object' && value !== null && opaque.has(value)) return []
  const parts = wrongs.filter(([name]) => PARTS.includes(name))
  if (Array.isArray(value) && value.length > 0)
    return [
      ...parts.map(([name, wrong]): [string, unknown] => [`[${name}, …]`, [wrong, ...value.slice(1)]]),
      ...nearMisses(value[0]).map(([name, wrong]): [string, unknown] => [`[${name}, …]`, [wrong, ...value.slice(1)]]),
      ['one more', [...value, value[0]]],
      ['one less', value.slice(1)],
    ]
  if (value instanceof Map && value.size > 0) {
    const [[key, first], ...rest] = [...value]
    return [
      ...[...parts, ...nearMisses(first)].map(([name, wrong]): [string, unknown] => [
        `Map {${name}, …}`,
        new Map([[key, wrong], ...rest]),
      ]),
      ['Map {another key}', new Map([[7, first], ...rest])],
    ]
  }
  if (!isPlain(value)) return []
  return Object.keys(value).flatMap((key) =>
    parts.map(([name, wrong]): [string, unknown] => [`${key}: ${name}`, { ...value, [key]: wrong }]),
  )
}
