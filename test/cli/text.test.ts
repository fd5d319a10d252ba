import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { run } from '../../src/cli/main'
import { writeSafetensors } from '../../src/io'
import { randomBert, randomGpt, wordPieceVocabulary } from '../../src/text'
import { dlg, readJson, scratch, spawnDlg } from './terminal'

const folder = scratch()
const SENTENCE = 'We invite submissions for the conference.'
const FOUND = 'we invite submissions for the conference.'

describe('dlg text', () => {
  it('recovers a sentence, writes the table and the report, and frees what it takes', async () => {
    const out = folder.at('deep/out')
    const { numTensors } = tf.memory()
    const { code, stdout, stderr } = await dlg(['text', SENTENCE, '--out', out])
    expect(code).toBe(0)
    expect(tf.memory().numTensors).toBe(numTensors)
    expect(stderr).toMatch(/^restart 1\/1 · step 0\/1000 · objective /)
    const table = readFileSync(`${out}/table.txt`, 'utf8')
    expect(stdout.slice(stdout.indexOf('\n') + 1)).toBe(`${table}${out}/table.txt ${out}/result.json\n`)
    expect(stdout).toMatch(
      /^converged, exact: 100 % of the tokens in place, 100 % anywhere, \d+ evaluations in \d+\.\d s on \S+\n/,
    )
    const rows = table.trimEnd().split('\n')
    expect(rows[0]).toBe('    step  token    bag  sentence')
    expect(rows.slice(1, -2).map((row) => Number.parseInt(row, 10))).toEqual(rows.slice(1, -2).map((_, i) => 10 * i))
    expect(rows.slice(-2)).toEqual([`     end  100 %  100 %  ${FOUND}`, `original                ${SENTENCE}`])
    const result = readJson(`${out}/result.json`)
    expect(result).toMatchObject({
      command: 'text',
      status: 'converged',
      exact: true,
      sentence: FOUND,
      original: { sentence: SENTENCE, tokens: result.tokens },
      tokenAccuracy: 1,
      bagAccuracy: 1,
      label: { original: 1, recovered: 1 },
      seed: 1,
      encoder: { weights: 'random', layers: 2, hidden: 64 },
      options: { head: 'mean', start: 'normal', withEmbeddingGradient: false, distance: 'balanced', iterations: 100 },
      versions: { node: process.version, tfjs: tf.version_core },
      files: ['table.txt', 'result.json'],
    })
    expect(result.evaluations).toBeGreaterThan(10)
    expect(result.seconds).toBeGreaterThan(0)
    expect(folder.names()).toEqual(['deep'])
  })

  it.each([
    ['first', 'onnx'],
    ['mlm', 'tfjs'],
  ])('from the span, with head %s and every option passed on', async (head, runtime) => {
    const options = { head, start: 'span', distance: 'l2', iterations: '50', seed: '3', runtime }
    const { code } = await dlg([
      ...['text', SENTENCE, '--with-embedding-gradient', '--out', folder.at('out')],
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ])
    expect(code).toBe(0)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      sentence: FOUND,
      exact: true,
      seed: 3,
      runtime: `${runtime}:cpu`,
      options: { head, start: 'span', withEmbeddingGradient: true, distance: 'l2', iterations: 50 },
    })
    expect(readFileSync(folder.at('out/table.txt'), 'utf8').includes('[MASK]')).toBe(head === 'mlm')
  })

  it('takes options of the search, and tells the way of the restart that came closest alone', async () => {
    const argv = ['--iterations', '2', '--restarts', '2', '--seed', '-1', '--budget', '5000', '--time-limit', '5m']
    await dlg(['text', SENTENCE, ...argv, '--out', folder.at('out')])
    const { seed, options } = readJson(folder.at('out/result.json'))
    expect(seed).toBe(-1)
    const budget = { evaluations: 5000, milliseconds: 300_000 }
    expect(options).toMatchObject({ iterations: 2, restarts: 2, budget, distance: 'balanced', tolerance: 1e-9 })
    const rows = readFileSync(folder.at('out/table.txt'), 'utf8').trimEnd().split('\n').slice(1, -2)
    expect(rows.map((row) => Number.parseInt(row, 10))).toEqual(rows.map((_, i) => 10 * i))
    expect(rows.length).toBeLessThanOrEqual(3)
  })

  it('ends at a budget with the best so far', async () => {
    const { code, stdout } = await dlg(['text', SENTENCE, '--budget', '5', '--out', folder.at('out')])
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAILED \(budget\), best so far: /)])
  })

  it('calls a failure a failure', async () => {
    const { code, stdout } = await dlg(['text', SENTENCE, '--iterations', '1', '--out', folder.at('out')])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^FAILED \(max-iterations\), best so far: \d+ % of the tokens in place, /)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({ status: 'max-iterations', exact: false })
  })

  it('prints JSON, the same as in the file, and nothing else', async () => {
    const { stdout } = await dlg(['text', SENTENCE, '--start', 'span', '--json', '--out', folder.at('out')])
    expect(stdout).toBe(readFileSync(folder.at('out/result.json'), 'utf8'))
  })

  it('writes the best so far when interrupted, and says so', async () => {
    const controller = new AbortController()
    let stdout = ''
    const stderr = { write: (text: string) => text.includes('step 0/') && controller.abort() }
    const code = await run(['text', SENTENCE, '--runtime', 'tfjs', '--out', folder.at('out')], {
      stdout: { write: (text) => (stdout += text) },
      ...{ stderr, env: {}, signal: controller.signal },
    })
    expect(stdout).toMatch(/^interrupted, NOT converged, best so far: /)
    expect(code).toBe(130)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({ status: 'aborted', exact: false })
    expect(readFileSync(folder.at('out/table.txt'), 'utf8')).toMatch(/^ +end /m)
  })

  it('writes nothing when interrupted before the attack', async () => {
    const { code, stderr } = await dlg(['text', SENTENCE, '--out', folder.at('out')], { signal: AbortSignal.abort() })
    expect([code, stderr]).toEqual([130, 'dlg: interrupted before there was anything to write\n'])
    expect(folder.names()).toEqual([])
  })
})

describe('dlg text with several sentences', () => {
  const BATCH = ['We welcome you.', 'The doctor will call.', 'Prices rose.']

  it('refuses flags of the search, which it does without', async () => {
    for (const argv of [
      ['--start', 'span'],
      ['--restarts', '2'],
      ['--iterations', '5'],
      ['--distance', 'tag'],
    ]) {
      const { code, stderr } = await dlg(['text', ...BATCH, ...argv])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${argv[0]} is of the search, and several sentences`)])
    }
    const { stderr } = await dlg(['text', BATCH[0], '--attack', 'sequences', '--budget', '100'])
    expect(stderr).toMatch(/--budget gives evaluations of the search, .* give a time such as 30s/)
  })

  it('counts every one of them where the whole batch is there twice, which no mean tells', async () => {
    const batch = [BATCH[0], BATCH[2], BATCH[0], BATCH[2]]
    const { code, stdout } = await dlg(['text', ...batch, '--out', folder.at('twice')])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^converged, exact: 4 of 4 sentences exact/)])
  })

  it('gives them all back, from the command line and from a file, with a table', async () => {
    const { numTensors } = tf.memory()
    const argv = [...BATCH, '--with-embedding-gradient', '--out', folder.at('out')]
    const { code, stdout, stderr } = await dlg(['text', ...argv])
    expect([code, tf.memory().numTensors]).toEqual([0, numTensors])
    expect(stdout).toMatch(/^converged, exact: 3 of 3 sentences exact in \d+\.\d s\n/)
    expect(stderr).toContain('candidates')
    const rows = readFileSync(folder.at('out/table.txt'), 'utf8').trimEnd().split('\n')
    expect(rows[0].trim()).toBe('exact   token     bag     R-1     R-2     R-L  sentence')
    expect(rows[2].trim()).toBe('yes   100 %   100 %   100 %   100 %   100 %  the doctor will call.')
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      ...{ attack: 'sequences', status: 'exact', exactMatch: 1, rouge1: 1, rougeL: 1 },
      sentences: BATCH.map((original) => ({ original, exact: true, sentence: original.toLowerCase() })),
    })
    // all but the longest one, which takes most of the time
    writeFileSync(folder.at('batch.txt'), `${BATCH[0]}\n\n${BATCH[2]}\n`)
    const again = await dlg(['text', '--file', folder.at('batch.txt'), ...argv.slice(3)])
    expect(again.code).toBe(0)
    const fewer = readFileSync(folder.at('out/table.txt'), 'utf8').trimEnd().split('\n')
    const words = (row: string) => row.trim().split(/\s+/).join(' ')
    expect(fewer.map(words)).toEqual(
      rows.filter((row) => !row.includes('doctor')).map((row) => words(row).replace('mean of 3', 'mean of 2')),
    )
  })

  it('ends at a time limit, and when interrupted, with what it has', async () => {
    const limited = await dlg(['text', ...BATCH, '--time-limit', '0.001s', '--out', folder.at('out')])
    expect([limited.code, limited.stdout]).toEqual([
      1,
      expect.stringMatching(/^FAILED \(budget\), best so far: 0 of 3/),
    ])
    const controller = new AbortController()
    const stderr = { write: (text: string) => text.includes('candidates') && controller.abort() }
    let stdout = ''
    const code = await run(['text', ...BATCH, '--out', folder.at('out')], {
      stdout: { write: (text) => (stdout += text) },
      ...{ stderr, env: {}, signal: controller.signal },
    })
    expect([code, stdout]).toEqual([130, expect.stringMatching(/^interrupted, NOT converged, best so far: 0 of 3/)])
  })

  it('marks what the vocabulary lacks', async () => {
    const { stderr } = await dlg(['text', 'We 漢 you.', 'Prices 字 rose.', '--out', folder.at('out')])
    expect(stderr).toContain('2 words have characters that the vocabulary lacks; the model sees [UNK]')
  })
})

const SIZES = { hidden: 24, heads: 2, layers: 1, intermediate: 32, positions: 12 }

/** A tokenizer as a Hugging Face file, over the words of a text. */
function tokenizerFile(text: string): { json: string; size: number } {
  const vocabulary = wordPieceVocabulary(text, 500)
  const special = (id: string, index: number) => ({ id, ids: [index], tokens: [id] })
  const piece = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const file = {
    version: '1.0',
    added_tokens: vocabulary.slice(0, 5).map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [piece('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, piece('[SEP]')],
      pair: [],
      special_tokens: { '[CLS]': special('[CLS]', 2), '[SEP]': special('[SEP]', 3) },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      ...{ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  }
  return { json: JSON.stringify(file), size: vocabulary.length }
}

/** A small encoder as the files of a pretrained one, and damaged ones. */
function prepare(): void {
  const { json, size } = tokenizerFile(SENTENCE)
  const config = {
    ...{ vocab_size: size, hidden_size: SIZES.hidden, num_hidden_layers: SIZES.layers, type_vocab_size: 2 },
    ...{ num_attention_heads: SIZES.heads, intermediate_size: SIZES.intermediate },
    max_position_embeddings: SIZES.positions,
  }
  const model = randomBert({ ...SIZES, vocabularySize: size, std: 0.1 })
  const tensors = new Map(
    Object.entries(model.weights).map(([name, t]) => [name, { shape: t.shape, data: t.dataSync() }]),
  )
  model.dispose()
  const bytes = writeSafetensors(tensors)
  const [name] = tensors.keys()
  const files = {
    'model.safetensors': bytes,
    'tokenizer.json': json,
    'config.json': JSON.stringify(config),
    'cut.safetensors': bytes.subarray(0, bytes.length - 100),
    'junk.safetensors': 'not weights at all',
    'empty.safetensors': '',
    'nan.safetensors': writeSafetensors(
      new Map([
        ...tensors,
        [name, { shape: [size, SIZES.hidden], data: new Float32Array(size * SIZES.hidden).fill(NaN) }],
      ]),
    ),
    'lacking.safetensors': writeSafetensors(new Map([...tensors].slice(1))),
    'other.json': tokenizerFile('Quite another text').json,
    'cut.json': json.slice(0, 100),
    'deep.json': JSON.stringify({ ...config, num_hidden_layers: 2 }),
    't5.json': JSON.stringify({ ...config, model_type: 't5' }),
    'llama.json': JSON.stringify({ model_type: 'llama' }),
  }
  mkdirSync(folder.at('bare'))
  writeFileSync(folder.at('bare/model.safetensors'), bytes)
  for (const [file, content] of Object.entries(files)) writeFileSync(folder.at(file), content)
}

describe('dlg text with an encoder from files', () => {
  it('takes tokenizer and configuration from beside the weights', async () => {
    await tf.setBackend('cpu')
    prepare()
    const { numTensors } = tf.memory()
    const weights = folder.at('model.safetensors')
    const argv = ['text', SENTENCE, '--weights', weights, '--start', 'span', '--out', folder.at('out')]
    expect((await dlg(argv)).code).toBe(0)
    expect(tf.memory().numTensors).toBe(numTensors)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      exact: true,
      sentence: FOUND,
      encoder: { weights, layers: 1, hidden: 24 },
    })
  })
})

describe('dlg text with a decoder from its folder', () => {
  it('finds the sentences of a batch, without a word about the attack', async () => {
    await tf.setBackend('cpu')
    const { gpt2 } = readJson('test/models/tokenizers.json')
    const size = Object.keys(gpt2.file.model.vocab).length
    const decoder = randomGpt({ vocabularySize: size, hidden: 40, intermediate: 64, positions: 16 })
    const tensors = Object.entries(decoder.weights).map(
      ([name, t]) => [`transformer.${name}`, { shape: t.shape, data: t.dataSync<'float32'>() }] as const,
    )
    decoder.dispose()
    mkdirSync(folder.at('gpt2'))
    const config = {
      model_type: 'gpt2',
      vocab_size: size,
      n_embd: 40,
      n_inner: 64,
      n_layer: 2,
      n_head: 4,
      n_positions: 16,
    }
    writeFileSync(folder.at('gpt2/config.json'), JSON.stringify(config))
    writeFileSync(folder.at('gpt2/tokenizer.json'), JSON.stringify(gpt2.file))
    writeFileSync(folder.at('gpt2/model.safetensors'), writeSafetensors(new Map(tensors)))
    const { numTensors } = tf.memory()
    const sentences = ['leaking the data', 'a model leaks']
    const { code, stdout } = await dlg(['text', ...sentences, '--model', folder.at('gpt2'), '--out', folder.at('out')])
    expect(stdout).toMatch(/^converged, exact: 2 of 2 sentences exact/)
    expect(code).toBe(0)
    expect(tf.memory().numTensors).toBe(numTensors)
    const report = readJson(folder.at('out/result.json'))
    expect(report).toMatchObject({ attack: 'sequences', status: 'exact', exactMatch: 1, rouge1: 1 })
    expect(report.sentences.map(({ sentence }: { sentence: string }) => sentence)).toEqual(sentences)
  })
})

describe('wrong input is one line and exit code 2, and leaves nothing', () => {
  const given = [SENTENCE, '--weights', '@model.safetensors']
  it.each<[string[], string]>([
    [[], '0 texts given; dlg text takes a sentence, in quotes'],
    [['We', 'invite', '--attack', 'search'], '2 texts given; --attack search takes one, in quotes'],
    [['We', 'invite', '--head', 'mlm'], '--head mlm has no classes'],
    [['--file', '@none.txt'], 'none.txt: no such file'],
    [['We', '--file', '@config.json'], '--file has the sentences; give none beside it'],
    [[SENTENCE, '--attack', 'guess'], "--attack is 'guess'; it must be search or sequences"],
    [[''], 'the text is empty; give a sentence'],
    [[' \n\t'], 'the text is empty; give a sentence'],
    [['\u200b'], 'the text has no token; give a sentence'],
    [['we '.repeat(63)], 'the text has 65 tokens; the model takes 64'],
    [[SENTENCE, '--head', 'last'], "--head is 'last'; it must be mean or first or mlm"],
    [[SENTENCE, '--start', 'gray'], "--start is 'gray'; it must be normal or span"],
    [[SENTENCE, '--distance', 'l1'], "--distance is 'l1'; it must be l2 or cosine or balanced or whitened or tag"],
    [[SENTENCE, '--runtime', 'gpu'], "--runtime is 'gpu'; it must be auto or onnx or tfjs or reference"],
    [[SENTENCE, '--iterations', '0'], "--iterations is '0'; it must be a whole number of at least 1"],
    [[SENTENCE, '--seed', '1.5'], "--seed is '1.5'; it must be a whole number"],
    [[SENTENCE, '--restarts', '0'], "--restarts is '0'; it must be a whole number of at least 1"],
    [[SENTENCE, '--tolerance', '-1'], "--tolerance is '-1'; it must be a number in [0, 1)"],
    [[SENTENCE, '--budget', '1s', '--time-limit', '1s'], '--budget and --time-limit both give a time; give one'],
    [[SENTENCE, '--out', '/proc/none'], '--out /proc/none: cannot be written: '],
    [[SENTENCE, '--with-embedding-gradient=yes'], 'option '],
    [[SENTENCE, '--wights', 'x'], "unknown option '--wights'; did you mean --weights?"],
    [[SENTENCE, '--tokenizer', '@tokenizer.json'], '--tokenizer belongs to --model or --weights, and neither is given'],
    [[SENTENCE, '--config', '@config.json'], '--config belongs to --model or --weights, and neither is given'],
    [[SENTENCE, '--weights', '@none.safetensors'], 'none.safetensors: no such file'],
    [[SENTENCE, '--weights', '@bare'], 'bare: is a directory'],
    [[SENTENCE, '--weights', '@bare/model.safetensors'], 'bare/config.json: no such file'],
    [[...given, '--tokenizer', '@none.json'], 'none.json: no such file'],
    [[...given, '--config', '@none.json'], 'none.json: no such file'],
    [[SENTENCE, '--weights', '@cut.safetensors'], 'cut.safetensors: safetensors: tensor '],
    [[SENTENCE, '--weights', '@junk.safetensors'], 'junk.safetensors: safetensors: the header length is '],
    [[SENTENCE, '--weights', '@empty.safetensors'], 'empty.safetensors: safetensors: the file has 0 bytes'],
    [[SENTENCE, '--weights', '@nan.safetensors'], "nan.safetensors: weight 'embeddings.word_embeddings.weight' has"],
    [
      [SENTENCE, '--weights', '@lacking.safetensors'],
      "lacking.safetensors: the encoder has no weight 'embeddings.word",
    ],
    [[...given, '--config', '@deep.json'], "model.safetensors: the encoder has no weight 'encoder.layer.1."],
    [[...given, '--config', '@t5.json'], "t5.json: config.json is of a 't5'"],
    [[...given, '--config', '@llama.json'], 'llama.json: vocabularySize of the decoder is undefined'],
    [
      [...given, '--config', '@llama.json', '--head', 'first'],
      '--head first is for an encoder, and the model is a decoder',
    ],
    [[...given, '--config', '@llama.json', '--attack', 'search'], '--attack search is for an encoder'],
    [[...given, '--model', '@bare'], 'both --model and --weights given; say one'],
    [[SENTENCE, '--model', '@none'], 'none: no such folder'],
    [[SENTENCE, '--model', '@config.json'], 'config.json: is a file; give the folder of config.json'],
    [[SENTENCE, '--model', '@bare'], 'bare/config.json: no such file'],
    [[...given, '--config', '@cut.json'], 'cut.json: config.json is not JSON'],
    [[...given, '--tokenizer', '@cut.json'], 'cut.json: tokenizer.json is not JSON'],
    [[...given, '--tokenizer', '@config.json'], 'config.json: tokenizer.json has no vocabulary'],
    [[...given, '--tokenizer', '@other.json'], 'they do not belong together'],
    [['we '.repeat(11), ...given.slice(1)], 'the text has 13 tokens; the model takes 12'],
    [[SENTENCE, '--out', '@config.json'], 'is a file; give a folder'],
  ])('dlg text %j', async (argv, message) => {
    await tf.setBackend('cpu')
    prepare()
    const before = folder.names()
    const { numTensors } = tf.memory()
    const words = argv.map((word) => word.replace(/^@(.*)/, (_, name) => folder.at(name)))
    const out = argv.includes('--out') ? [] : ['--out', folder.at('out')]
    const { code, stdout, stderr } = await dlg(['text', ...words, ...out])
    expect(stderr).toMatch(/^dlg: [^\n]+\n$/)
    expect(stderr).toContain(message)
    expect([code, stdout]).toEqual([2, ''])
    expect(folder.names()).toEqual(before)
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('as a process', async () => {
    const { code, stdout, stderr } = await spawnDlg(['text', '', '--out', folder.at('out')])
    expect([code, stdout, stderr]).toEqual([2, '', 'dlg: the text is empty; give a sentence\n'])
    expect(folder.names()).toEqual([])
  })
})
