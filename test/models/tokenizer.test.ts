import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { encodeFor, parseTokenizer, randomBert, wordPiece, wordPieceVocabulary } from '../../src/text'

const TEXT = 'The gradient of a loss leaks the data. A leaking gradient, a leaking model; training on data leaks data!'
const vocabulary = wordPieceVocabulary(TEXT, 77)

/** The same vocabulary as a Hugging Face file, with the padding and truncation that MiniLM's asks for. */
const file = {
  version: '1.0',
  truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 32 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((content, id) => ({
    ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
  })),
  normalizer: {
    ...{ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
}

describe('a vocabulary built from text', () => {
  it('has the special tokens, every character, then words and endings by frequency', () => {
    expect(vocabulary.slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'])
    for (const character of 'adeghiklmnorst,.;!') {
      expect(vocabulary).toContain(character)
      expect(vocabulary).toContain(`##${character}`)
    }
    expect(vocabulary.indexOf('data')).toBeLessThan(vocabulary.indexOf('model'))
    expect(new Set(vocabulary).size).toBe(vocabulary.length)
    expect(vocabulary).toHaveLength(77)
    expect(wordPieceVocabulary(TEXT, 77)).toEqual(vocabulary)
  })

  it('needs words and room for their characters', () => {
    expect(() => wordPieceVocabulary('  ')).toThrow('it has no words')
    expect(() => wordPieceVocabulary('abc', 10)).toThrow('size is 10; it must be a whole number of at least 11')
  })
})

describe('a tokenizer over it', () => {
  const own = wordPiece(vocabulary)

  it.each([
    'The gradient leaks.',
    'Leaking data, training data; a MODEL!',
    'gradients do not lend',
    'Thé  lóss\tof\na mödel',
    'no zebra here',
    'a-b',
  ])('splits %j as @huggingface/tokenizers does', async (text) => {
    const theirs = await parseTokenizer(JSON.stringify(file))
    expect(own.encode(text)).toEqual(theirs.encode(text))
    expect([own.size, own.first, own.last, own.mask]).toEqual([theirs.size, theirs.first, theirs.last, theirs.mask])
  })

  it('gives the text back', async () => {
    const theirs = await parseTokenizer(JSON.stringify(file))
    for (const tokenizer of [own, theirs]) {
      const ids = tokenizer.encode('The gradients leak, a model trains.')
      expect(tokenizer.decode(ids)).toBe('the gradients leak, a model trains.')
      expect(tokenizer.token(ids[0])).toBe('[CLS]')
    }
  })

  it('needs the special tokens', () => {
    expect(() => wordPiece(['[PAD]', 'a'])).toThrow('the vocabulary has no [UNK]')
  })
})

describe('text for an encoder', () => {
  const sizes = { hidden: 4, heads: 1, layers: 1, positions: 8 }
  const tokenizer = wordPiece(vocabulary)

  it('is refused when it is empty, too long, or of another tokenizer', () => {
    const model = randomBert({ vocabularySize: vocabulary.length, ...sizes })
    expect(() => encodeFor(model, tokenizer, ' ')).toThrow('the text is empty')
    expect(() => encodeFor(model, tokenizer, '\u200b')).toThrow('the text has no token')
    expect(() => encodeFor(model, tokenizer, 'data '.repeat(7))).toThrow('the text has 9 tokens; the model takes 8')
    expect(encodeFor(model, tokenizer, 'data '.repeat(6))).toHaveLength(8)
    for (const given of [undefined, null, 'data', [1.5], [-1], [1e9], [Number.NaN], ['1'], {}, Promise.resolve([1])])
      expect(() => encodeFor(model, { ...tokenizer, encode: () => given as never }, 'data')).toThrow(
        /^encode\(\) of the tokenizer gave .*; it must give a list of token ids/,
      )
    expect(encodeFor(model, { ...tokenizer, encode: () => Int32Array.of(1, 2) as never }, 'data')).toEqual([1, 2])
    model.dispose()
    const other = randomBert({ vocabularySize: vocabulary.length + 1, ...sizes })
    expect(() => encodeFor(other, tokenizer, 'data')).toThrow('knows 77 tokens and the model 78')
    other.dispose()
  })
})

it.each([
  ['{', 'not JSON'],
  ['{}', 'has no vocabulary'],
  [JSON.stringify({ ...file, model: { ...file.model, vocab: { a: 0, '[UNK]': 1 } }, added_tokens: [] }), 'no token'],
])('tokenizer.json %# that is none is refused', async (json, message) => {
  await expect(parseTokenizer(json)).rejects.toMatchObject({ code: 'invalid-file' })
  await expect(parseTokenizer(json)).rejects.toThrow(message)
})

describe('tokenizer.json of other families, as the package tokenizers reads it', () => {
  const made = JSON.parse(readFileSync(new URL('tokenizers.json', import.meta.url), 'utf8'))

  it.each([
    ['gpt2', {}],
    ['roberta', { first: 0, last: 2, mask: 4 }],
  ])('%s', async (family, around) => {
    const { file, ids, back } = made[family]
    const tokenizer = await parseTokenizer(JSON.stringify(file))
    expect(made.texts.map(tokenizer.encode)).toEqual(ids)
    expect(ids.map(tokenizer.decode)).toEqual(back)
    expect(tokenizer).toMatchObject(around)
    for (const name of ['first', 'last', 'mask']) expect(name in tokenizer).toBe(name in around)
  })
})
