/**
 * Runs the Python of docs/guides/onnx.md as a user would, on a small convolutional network, and asks the built command whether the model that
 * comes out has the gradient that comes out.
 *
 * node build/onnx-guide.mjs PYTHON, one that has torch, numpy and safetensors; after npm run build
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [python] = process.argv.slice(2)
if (!python) throw new Error('node build/onnx-guide.mjs PYTHON')
const root = join(import.meta.dirname, '..')
const guide = readFileSync(join(root, 'docs/guides/onnx.md'), 'utf8')
const block = /```python\n([\s\S]*?)```/.exec(guide)?.[1]
if (!block?.includes('torch.onnx.export'))
  throw new Error('the first block of Python in docs/guides/onnx.md exports nothing')
const folder = mkdtempSync(join(tmpdir(), 'dlg-onnx-'))
const run = (command, args) =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
try {
  const version = run(python, ['-c', 'import torch; print(torch.__version__)']).trim()
  const [major, minor] = version.split('.').map(Number)
  // the guide: PyTorch before 2.5 knows no dynamo
  const exported = major > 2 || (major === 2 && minor >= 5) ? block : block.replace('dynamo=False, ', '')
  const program = `
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
torch.manual_seed(1)
model = nn.Sequential(
    nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(150, 5))
x, y = torch.rand(2, 3, 16, 16), torch.tensor([3, 1])
${exported}`
  run(python, ['-c', program])
  const cli = join(root, 'dist/cli/cli.js')
  const files = ['--model', 'net.onnx', '--gradients', 'gradient.safetensors']
  const checked = run(process.execPath, [cli, 'check', ...files, '--data', 'batch.npz', '--labels', '3,1'])
  if (!checked.includes('the shared gradient is that of these data')) throw new Error(checked)
  console.log(`PyTorch ${version}: the export of the guide has the gradient of the guide`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
