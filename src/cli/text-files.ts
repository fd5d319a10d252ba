import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DlgError } from '../errors/dlg-error'
import { configFile } from '../models/config-file'

/** Files of a pretrained encoder or decoder. */
export interface ModelFiles {
  readonly weights: string
  /** Default: tokenizer.json beside the weights. */
  readonly tokenizer?: string
  /** Default: config.json beside the weights. */
  readonly config?: string
}

/** The files of a folder as `save_pretrained` writes it. @throws DlgError `invalid-file` for what is no such folder */
export function filesIn(folder: string): ModelFiles {
  if (!existsSync(folder)) throw new DlgError('invalid-file', `--model ${folder}: no such folder`)
  if (!statSync(folder).isDirectory())
    throw new DlgError(
      'invalid-file',
      `--model ${folder}: is a file; give the folder of config.json, model.safetensors and tokenizer.json`,
    )
  if (existsSync(join(folder, 'model.safetensors.index.json')))
    throw new DlgError(
      'invalid-file',
      `--model ${folder}: weights in several files are not supported; save them as one`,
    )
  if (!existsSync(join(folder, 'model.safetensors')) && existsSync(join(folder, 'pytorch_model.bin')))
    throw new DlgError(
      'invalid-file',
      `--model ${folder}: has pytorch_model.bin, which is code to run; save the model anew with save_pretrained, as model.safetensors`,
    )
  return { weights: join(folder, 'model.safetensors') }
}

/** The paths of all three files. */
export const pathsOf = ({ weights, config, tokenizer }: ModelFiles) => ({
  weights,
  config: config ?? join(dirname(weights), 'config.json'),
  tokenizer: tokenizer ?? join(dirname(weights), 'tokenizer.json'),
})

/** Whether config.json is that of a decoder. @throws DlgError naming the file that is missing or damaged */
export function isDecoder(files: ModelFiles): boolean {
  const { config } = pathsOf(files)
  try {
    return ['gpt2', 'llama'].includes(configFile(readFile(config).toString()).model_type as string)
  } catch (cause) {
    if (!(cause instanceof DlgError) || cause.message.startsWith(config)) throw cause
    throw new DlgError(cause.code, `${config}: ${cause.message}`, { cause })
  }
}

/** @throws DlgError `invalid-file` with the path */
export function readFile(path: string): Buffer {
  if (!existsSync(path)) throw new DlgError('invalid-file', `${path}: no such file`)
  if (statSync(path).isDirectory()) throw new DlgError('invalid-file', `${path}: is a directory`)
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new DlgError('invalid-file', `${path}: cannot be read: ${(cause as Error).message}`, { cause })
  }
}
