import { DlgError } from '../../errors/dlg-error'
import type { Layer } from './layer-groups'
import { type Link, layerLinks } from './layer-links'
import { type LayerOrder, parallelPair } from './layer-order'

interface Pair {
  readonly torch: Layer
  readonly tfjs: Layer
  readonly links: readonly Link[]
}

/**
 * Pairs the layers of PyTorch and tfjs, in tfjs's order.
 *
 * Those in `map` are paired as it says, and then those of equal names. Of the rest, layers of one kind and shape are paired in
 * order, where nothing else would fit them and where the order is the same in both: in parallel branches it is not. PyTorch
 * lists layers as they are declared, tfjs by their depth.
 *
 * @param order how the layers of tfjs stand to each other
 * @throws DlgError `invalid-gradients` naming the layers that cannot be paired, or that could be in several ways.
 */
export function matchLayers(
  torch: readonly Layer[],
  tfjs: readonly Layer[],
  map: Readonly<Record<string, string>>,
  sorted: boolean,
  order: LayerOrder,
): Pair[] {
  const given = Object.entries(map).map(([from, to]) => pairByName(torch, tfjs, from, to))
  const mapped = [...given, ...pairsOfEqualNames(torch, tfjs, given)]
  const open = {
    torch: kindsOf(torch.filter((layer) => !mapped.some((pair) => pair.torch === layer))),
    tfjs: kindsOf(tfjs.filter((layer) => !mapped.some((pair) => pair.tfjs === layer))),
  }
  const pairs = [...mapped]
  for (const targets of open.tfjs) {
    const sources = open.torch.filter((kind) => layerLinks(kind[0], targets[0]))
    if (sources.length === 0) throw unmatched(targets[0], open.torch.flat())
    const rivals = open.tfjs.filter((kind) => layerLinks(sources[0][0], kind[0]))
    if (sources.length > 1 || rivals.length > 1) throw ambiguous(sources.flat(), rivals.flat())
    if (sources[0].length !== targets.length) throw uneven(sources[0], targets)
    const ordered = inModelOrder(sources[0], sorted)
    if (!ordered) throw ambiguous(sources[0], targets)
    const parallel = parallelPair(
      targets.map(({ name }) => name),
      order,
    )
    if (parallel) throw branches(sources[0], targets, `tfjs's '${parallel.join("' and '")}' lie in parallel branches`)
    const shortcut = targets.length > 1 && shortcutAmong(sources[0])
    if (shortcut)
      throw branches(sources[0], targets, `PyTorch's '${shortcut.name}' is by its name in a branch of its own`)
    targets.forEach((target, i) => {
      pairs.push({ torch: ordered[i], tfjs: target, links: layerLinks(ordered[i], target) ?? [] })
    })
  }
  const left = torch.find((layer) => !pairs.some((pair) => pair.torch === layer))
  if (left) throw strange(left, tfjs)
  return pairs.sort((a, b) => tfjs.indexOf(a.tfjs) - tfjs.indexOf(b.tfjs))
}

/** Layers of equal names that fit, where no other layer has the name; `.`, `/` and `-` count as `_`. */
function pairsOfEqualNames(torch: readonly Layer[], tfjs: readonly Layer[], given: readonly Pair[]): Pair[] {
  const plain = ({ name }: Layer): string => name.replace(/[./-]/g, '_')
  const free = {
    torch: torch.filter((layer) => !given.some((pair) => pair.torch === layer)),
    tfjs: tfjs.filter((layer) => !given.some((pair) => pair.tfjs === layer)),
  }
  return free.tfjs.flatMap((target) => {
    const sources = free.torch.filter((layer) => plain(layer) === plain(target))
    const alone = sources.length === 1 && free.tfjs.filter((layer) => plain(layer) === plain(target)).length === 1
    const links = alone ? layerLinks(sources[0], target) : undefined
    return links ? [{ torch: sources[0], tfjs: target, links }] : []
  })
}

/** A layer named as one of a shortcut, among others that are not. */
function shortcutAmong(layers: readonly Layer[]): Layer | undefined {
  const found = layers.filter(({ name }) => /(^|[._])(downsample|shortcut|skip|residual)([._\d]|$)/i.test(name))
  return found.length < layers.length ? found[0] : undefined
}

/** Layers that nothing but their place and their name tells apart: the same roles and shapes. */
function kindsOf(layers: readonly Layer[]): Layer[][] {
  const kinds = new Map<string, Layer[]>()
  for (const layer of layers) {
    const kind = JSON.stringify([...layer.roles].map(([role, { shape }]) => [role, shape]).sort())
    kinds.set(kind, [...(kinds.get(kind) ?? []), layer])
  }
  return [...kinds.values()]
}

/**
 * safetensors sorts tensors by name, so there the file's order is the model's only for names that count: `conv2` before
 * `conv10`. Undefined where names differ in more than numbers.
 */
function inModelOrder(layers: readonly Layer[], sorted: boolean): readonly Layer[] | undefined {
  if (!sorted || layers.length === 1) return layers
  const patterns = new Set(layers.map(({ name }) => name.replace(/\d+/g, '0')))
  if (patterns.size > 1) return undefined
  return layers.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

function pairByName(torch: readonly Layer[], tfjs: readonly Layer[], from: string, to: string): Pair {
  const [source, target] = [torch.find(({ name }) => name === from), tfjs.find(({ name }) => name === to)]
  if (!source)
    throw new DlgError('invalid-option', `map names the PyTorch layer '${from}'; it must be one of ${names(torch)}`)
  if (!target)
    throw new DlgError('invalid-option', `map names the tfjs layer '${to}'; it must be one of ${names(tfjs)}`)
  const links = layerLinks(source, target)
  if (links) return { torch: source, tfjs: target, links }
  throw new DlgError('invalid-option', `map pairs ${describe(source)} with ${describe(target)}, which do not fit`)
}

function unmatched(target: Layer, left: readonly Layer[]): DlgError {
  return new DlgError(
    'invalid-gradients',
    `no PyTorch layer fits ${describe(target)} of tfjs; there are left ${left.slice(0, 8).map(describe).join(', ') || 'none'}`,
  )
}

function ambiguous(torch: readonly Layer[], tfjs: readonly Layer[]): DlgError {
  return new DlgError(
    'invalid-gradients',
    `PyTorch's ${names(torch)} could be tfjs's ${names(tfjs)} in more than one way, and the file does not keep the model's order; say which with map: {'${torch[0].name}': '${tfjs[0].name}', …}`,
  )
}

function branches(torch: readonly Layer[], tfjs: readonly Layer[], why: string): DlgError {
  return new DlgError(
    'invalid-gradients',
    `PyTorch's ${names(torch)} could be tfjs's ${names(tfjs)} in more than one way: ${why}, which the two frameworks list in different orders; say which with map: {'${torch[0].name}': '${tfjs[0].name}', …}, or give the layers of tfjs PyTorch's names`,
  )
}

function uneven(torch: readonly Layer[], tfjs: readonly Layer[]): DlgError {
  return new DlgError(
    'invalid-gradients',
    `${torch.length} PyTorch layers (${names(torch)}) for ${tfjs.length} of tfjs (${names(tfjs)}), all like ${describe(tfjs[0])}; they must be as many`,
  )
}

function strange(layer: Layer, tfjs: readonly Layer[]): DlgError {
  return new DlgError(
    'invalid-gradients',
    `no tfjs layer fits PyTorch's ${describe(layer)}; the model has ${names(tfjs)}. If it is no parameter, leave it out: ignore: [${parts(layer)}]`,
  )
}

const parts = ({ roles }: Layer): string =>
  [...roles.values()]
    .slice(0, 8)
    .map(({ name }) => `'${name}'`)
    .join(', ')

function describe({ name, roles }: Layer): string {
  return `'${name}' (${[...roles].map(([role, { shape }]) => `${role} [${shape}]`).join(', ')})`
}

function names(layers: readonly Layer[]): string {
  const shown = layers.slice(0, 8).map(({ name }) => `'${name}'`)
  return `${shown.join(', ')}${layers.length > 8 ? ', …' : ''}`
}
