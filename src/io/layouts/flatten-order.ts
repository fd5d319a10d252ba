import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { Layer } from './layer-groups'
import type { Link } from './layer-links'
import { flattened } from './layout'

/**
 * What PyTorch flattens before a layer, by the name of the tensor that reads it: `[channels, height, width]`, or
 * `channels-last` where the network itself moves the channels last, as tfjs has them.
 */
export type FlattenOrder = Readonly<Record<string, readonly number[] | 'channels-last'>>

type Pair = { readonly tfjs: Layer; readonly links: readonly Link[] }

/**
 * Gives the tensors behind a flatten the layout that moves their features from channels first to channels last.
 *
 * @param pairs in the model's order.
 * @throws DlgError `invalid-option` when `flatten` names another tensor or a wrong shape; `invalid-gradients` when it is
 * missing behind a convolution, where the wrong order would fit in silence.
 */
export function orderFlattened(pairs: readonly Pair[], flatten: FlattenOrder): Link[] {
  const unused = new Set(Object.keys(flatten))
  let channels: number | undefined
  const links = pairs.flatMap(({ tfjs, links }) => {
    const before = channels
    channels = channelsOf(tfjs, before)
    return links.map((link) => {
      const [name] = link.torch
      const features = featuresOf(tfjs, link)
      const order = Object.hasOwn(flatten, name) ? flatten[name] : undefined
      if (features !== undefined && order !== undefined) unused.delete(name)
      if (features === undefined || order === 'channels-last') return link
      if (order) return reordered(link, features, order)
      if (before === undefined || features === before || features % before !== 0) return link
      throw new DlgError(
        'invalid-gradients',
        `'${name}' reads ${features} features of a convolution with ${countOf(before, 'channel')}, and their order differs between PyTorch and tfjs; say what is flattened with flatten: {'${name}': [${before}, height, width]}, or 'channels-last' if PyTorch has that order too`,
      )
    })
  })
  const [strange] = unused
  if (strange === undefined) return links
  throw new DlgError(
    'invalid-option',
    `flatten names '${strange}'; it must be a weight of PyTorch that reads flattened features`,
  )
}

/** Channels of the features after a layer; undefined once they are no longer channels. */
function channelsOf({ name, roles }: Layer, before: number | undefined): number | undefined {
  const kernel = roles.get('kernel')?.shape
  const [channels, multiplier] = roles.get('depthwise_kernel')?.shape.slice(-2) ?? []
  if (channels !== undefined) return channels * multiplier
  if (kernel === undefined) return roles.has('embeddings') ? undefined : before
  if (kernel.length === 2) return undefined
  return roles.get('bias')?.shape[0] ?? kernel.at(/transpose/i.test(name) ? -2 : -1)
}

/** How many features a tensor reads where they could be flattened ones. */
function featuresOf({ roles }: Layer, { tfjs, tfjsShape }: Link): number | undefined {
  if (roles.has('recurrent_kernel')) return undefined
  if (roles.get('kernel')?.name === tfjs) return tfjsShape.length === 2 ? tfjsShape[0] : undefined
  const perFeature = ['gamma', 'beta', 'moving_mean', 'moving_variance'].some((role) => roles.get(role)?.name === tfjs)
  return perFeature && tfjsShape.length === 1 ? tfjsShape[0] : undefined
}

function reordered(link: Link, features: number, order: readonly number[]): Link {
  const [name] = link.torch
  const sound = Array.isArray(order) && order.every((n) => Number.isSafeInteger(n) && n > 0)
  if (!sound || order.reduce((a, b) => a * b, 1) !== features) {
    throw new DlgError(
      'invalid-option',
      `flatten says that '${name}' reads [${order}]; it must be [channels, height, width] with a product of ${features}`,
    )
  }
  const torchShape = link.layouts[0].view
  return { ...link, layouts: [flattened(torchShape, order)] }
}
