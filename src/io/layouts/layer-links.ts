import type { Layer } from './layer-groups'
import { channelsLast, depthwise, type Layout, same } from './layout'
import { recurrentLinks } from './recurrent-links'

/** One tensor of tfjs and those of PyTorch it is made of: one, or the two biases of a recurrent layer. */
export interface Link {
  readonly torch: readonly string[]
  readonly tfjs: string
  readonly tfjsShape: readonly number[]
  /** One layout for each tensor of PyTorch. */
  readonly layouts: readonly Layout[]
  /** How two biases make one tensor: added, or each a row of it. */
  readonly biases?: 'sum' | 'rows'
}

type Shape = readonly number[]
/** The layout between two shapes; undefined when they do not fit. */
type Fit = (torch: Shape, tfjs: Shape) => Layout | undefined

/** PyTorch's name for each role in tfjs, and how the tensor lies there. */
const ROLES: Readonly<Record<string, { torch: string; fit: Fit }>> = {
  kernel: { torch: 'weight', fit: fitKernel },
  depthwise_kernel: { torch: 'weight', fit: fitDepthwise },
  bias: { torch: 'bias', fit: fitSame },
  embeddings: { torch: 'weight', fit: fitSame },
  gamma: { torch: 'weight', fit: fitSame },
  beta: { torch: 'bias', fit: fitSame },
  moving_mean: { torch: 'running_mean', fit: fitSame },
  moving_variance: { torch: 'running_var', fit: fitSame },
  alpha: { torch: 'weight', fit: fitSlopes },
}

/** A count of batches, of which tfjs keeps none. */
const UNUSED_ROLE = 'num_batches_tracked'

/**
 * The links between two layers, in the order of tfjs's roles; undefined when their roles or shapes do not fit.
 *
 * Roles decide the layout, never shapes: a square matrix is transposed in a dense layer and kept in an embedding.
 *
 * @throws DlgError `invalid-gradients` for a recurrent layer that has no counterpart.
 */
export function layerLinks(torch: Layer, tfjs: Layer): Link[] | undefined {
  if (tfjs.roles.has('recurrent_kernel')) return recurrentLinks(torch, tfjs)
  const unused = new Set(torch.roles.keys())
  unused.delete(UNUSED_ROLE)
  const links: Link[] = []
  for (const [role, { name, shape }] of tfjs.roles) {
    const rule = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined
    const source = rule && torch.roles.get(rule.torch)
    const layout = source && rule.fit(source.shape, shape)
    if (!source || !layout) return undefined
    unused.delete(rule.torch)
    links.push({ torch: [source.name], tfjs: name, tfjsShape: shape, layouts: [layout] })
  }
  return unused.size === 0 ? links : undefined
}

function fitKernel(torch: Shape, tfjs: Shape): Layout | undefined {
  if (torch.length < 2 || torch.length > 5) return undefined
  const layout = channelsLast(torch)
  return equal(
    layout.axes.map((axis) => torch[axis]),
    tfjs,
  )
    ? layout
    : undefined
}

function fitDepthwise(torch: Shape, tfjs: Shape): Layout | undefined {
  const [channels, multiplier] = tfjs.slice(-2)
  const fits = torch.length > 2 && equal(torch, [channels * multiplier, 1, ...tfjs.slice(0, -2)])
  return fits ? depthwise(torch, multiplier) : undefined
}

function fitSame(torch: Shape, tfjs: Shape): Layout | undefined {
  return equal(torch, tfjs) ? same(torch) : undefined
}

/** PyTorch keeps one slope for each channel, tfjs one for each value, or `[1, 1, channels]` with shared axes. */
function fitSlopes(torch: Shape, tfjs: Shape): Layout | undefined {
  return torch.length === 1 && torch[0] === tfjs.at(-1) && tfjs.slice(0, -1).every((n) => n === 1)
    ? same(torch)
    : undefined
}

export function equal(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i])
}
