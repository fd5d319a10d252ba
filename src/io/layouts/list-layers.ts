import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { Layer, TensorSpec } from './layer-groups'
import { type Link, layerLinks } from './layer-links'
import { type LayerOrder, parallelPair } from './layer-order'

/** How archives and lists call tensors that nobody named. */
const UNNAMED = /^(arr_)?\d+$/

/** Whether none of these tensors has a name of its own. */
export const isList = (names: readonly string[]): boolean =>
  names.length > 0 && names.every((name) => UNNAMED.test(name))

/** What to do about a list that does not fit. */
export const WITH_NAMES = 'save it with names: np.savez(f, **dict(zip(net.state_dict().keys(), arrays)))'

/** PyTorch's tensors of a layer in the order of its state_dict, each with the roles in tfjs that call for it. */
const PLAIN: readonly (readonly [torch: string, ...tfjs: string[]])[] = [
  ['weight', 'kernel', 'depthwise_kernel', 'embeddings', 'gamma', 'alpha'],
  ['bias', 'bias', 'beta'],
  ['running_mean', 'moving_mean'],
  ['running_var', 'moving_variance'],
]
const RECURRENT: typeof PLAIN = [
  ['weight_ih', 'kernel'],
  ['weight_hh', 'recurrent_kernel'],
  ['bias_ih', 'bias'],
  ['bias_hh', 'bias'],
]

/**
 * Pairs a list without names with the model's layers: the order is that of the layers, and within each that of PyTorch.
 *
 * A scalar behind the running variance is num_batches_tracked, of which tfjs has none.
 *
 * @param tfjs the layers in the order of the model.
 * @param among how these layers stand to each other: of two that are alike in parallel branches, the list does not say which comes first.
 * @throws DlgError `invalid-gradients` when a tensor does not fit its place, or the list has another length, saying how to
 * save it with names.
 */
export function pairInOrder(
  list: readonly TensorSpec[],
  tfjs: readonly Layer[],
  among: LayerOrder,
): { torch: Layer; tfjs: Layer; links: readonly Link[] }[] {
  for (const alike of alikeLayers(tfjs)) {
    const parallel = parallelPair(alike, among)
    if (parallel)
      throw misfit(
        `no names to tell '${parallel.join("' from '")}' by, which are alike and lie in parallel branches: PyTorch and tfjs list those in different orders`,
      )
  }
  let at = 0
  const pairs = tfjs.map((layer) => {
    const order = layer.roles.has('recurrent_kernel') ? RECURRENT : PLAIN
    const wanted = order.filter(([, ...calls]) => calls.some((role) => layer.roles.has(role)))
    const found = list.slice(at, at + wanted.length)
    at += wanted.length
    if (layer.roles.has('moving_variance') && list[at]?.shape.length === 0) at++
    const roles = found.map(({ name, shape }, i) => [wanted[i][0], { name, shape: shape as number[] }] as const)
    const torch: Layer = { name: layer.name, roles: new Map(roles) }
    const links = found.length === wanted.length ? layerLinks(torch, layer) : undefined
    if (links) return { torch, tfjs: layer, links }
    throw misfit(
      `${found.map(({ name, shape }) => `'${name}' [${shape}]`).join(', ') || 'nothing'} in the place of '${layer.name}' (${[...layer.roles].map(([role, { shape }]) => `${role} [${shape}]`).join(', ')})`,
    )
  })
  if (at === list.length) return pairs
  throw misfit(`${countOf(list.length, 'tensor')}, and the model's layers have ${at} in PyTorch`)
}

/** Names of layers with the same roles and shapes. */
function alikeLayers(layers: readonly Layer[]): string[][] {
  const found = new Map<string, string[]>()
  for (const { name, roles } of layers) {
    const kind = JSON.stringify([...roles].map(([role, { shape }]) => [role, shape]))
    found.set(kind, [...(found.get(kind) ?? []), name])
  }
  return [...found.values()]
}

const misfit = (what: string): DlgError =>
  new DlgError(
    'invalid-gradients',
    `a list without names is taken in the order of the model's layers, and it has ${what}; ${WITH_NAMES}`,
  )
