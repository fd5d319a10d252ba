import type { Tensor } from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import type { GptModel } from '../../models/gpt'
import { type Adapter, type Lora, withoutPeft } from '../../models/lora'
import type { TextModel } from '../../models/text-model'
import type { Projection } from '../dager/seen'
import type { Transformer } from '../dager/transformer'
import { gradientOf } from './shared-text'

/**
 * A model with adapters as exact recovery sees it: its blocks are those of base and adapters together, and their vectors show in the
 * gradients of the adapters.
 *
 * @param own the same transformer, which explains and shares with the adapters trained
 */
export function loraTransformer(
  merged: Transformer,
  model: TextModel | GptModel,
  { adapters }: Lora<unknown>,
  own: Pick<Transformer, 'explain' | 'share'>,
): Transformer {
  const names = new Map(Object.keys(model.weights).map((name) => [withoutPeft(name), name]))
  return {
    ...merged,
    ...own,
    name: `${merged.name} with adapters`,
    named: (name) => names.get(withoutPeft(name)) ?? name,
    async projections(block, shared) {
      const readers = adapters.filter(({ weight }) => readsBlock(weight, block))
      const found = await Promise.all(readers.map((adapter) => projectionOf(model, adapter, shared)))
      return found.filter((projection) => projection !== undefined)
    },
  }
}

/** Whether a matrix reads the vectors that a block begins with. */
const readsBlock = (weight: string, block: number): boolean =>
  new RegExp(`(^|\\.)layer\\.${block}\\.attention\\.self\\.(query|key|value)\\.weight$`).test(weight) ||
  weight === `h.${block}.attn.c_attn.weight`

/** ∂A where B lets it through, else ∂B, which sees A x. */
async function projectionOf(
  { weights }: TextModel | GptModel,
  { a, b }: Adapter,
  shared: NamedGradients,
): Promise<Projection | undefined> {
  const open = (await weights[b].data()).some((v) => v !== 0)
  if (open && Object.hasOwn(shared, a)) return { values: await gradientOf(shared, a, weights[a].size) }
  if (!Object.hasOwn(shared, b)) return undefined
  const through = { data: (await (weights[a] as Tensor).data()) as Float32Array, width: weights[a].shape[1]! }
  return { values: await gradientOf(shared, b, weights[b].size), through }
}
