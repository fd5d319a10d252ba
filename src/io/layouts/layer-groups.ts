/** A tensor's name and shape: all that matching looks at. */
export interface TensorSpec {
  readonly name: string
  readonly shape: readonly (number | null)[]
}

/** The tensors of one layer by their role: `weight`, `bias`, … in PyTorch; `kernel`, `bias`, `gamma`, … in tfjs. */
export interface Layer {
  readonly name: string
  readonly roles: ReadonlyMap<string, { readonly name: string; readonly shape: readonly number[] }>
}

type Placed = (name: string) => { layer: string; role: string }

function grouped(specs: readonly TensorSpec[], place: Placed): Layer[] {
  const layers = new Map<string, Map<string, { name: string; shape: number[] }>>()
  for (const { name, shape } of specs) {
    const { layer, role } = place(name)
    const roles = layers.get(layer) ?? new Map()
    layers.set(layer, roles.set(role, { name, shape: [...shape] }))
  }
  return [...layers].map(([name, roles]) => ({ name, roles }))
}

/** `conv1.weight` is the `weight` of `conv1`; the cells of a recurrent module are layers: `lstm.l0`, `lstm.l0_reverse`. */
export function torchLayers(specs: readonly TensorSpec[]): Layer[] {
  return grouped(specs, (name) => {
    const dot = name.lastIndexOf('.')
    const [layer, role] = [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)]
    const [, recurrent, cell] = /^((?:weight|bias)_(?:ih|hh|hr))_(l\d+(?:_reverse)?)$/.exec(role) ?? []
    return recurrent ? { layer: layer ? `${layer}.${cell}` : cell, role: recurrent } : { layer, role }
  })
}

/**
 * `dense_Dense1/kernel` is the `kernel` of `dense_Dense1`. A number that tfjs appends to make a name unique is no part of
 * the role. A separable convolution is two in PyTorch: its depthwise kernel is a layer of its own.
 */
export function tfjsLayers(specs: readonly TensorSpec[]): Layer[] {
  const pointwise = new Set(
    specs
      .map(({ name }) => placeTfjs(name))
      .filter(({ role }) => role === 'pointwise_kernel')
      .map(({ layer }) => layer),
  )
  return grouped(specs, (name) => {
    const { layer, role } = placeTfjs(name)
    if (role === 'depthwise_kernel' && pointwise.has(layer)) return { layer: `${layer}/depthwise`, role }
    return { layer, role: role === 'pointwise_kernel' ? 'kernel' : role }
  })
}

function placeTfjs(name: string): { layer: string; role: string } {
  const slash = name.lastIndexOf('/')
  return { layer: name.slice(0, Math.max(0, slash)), role: name.slice(slash + 1).replace(/_\d+$/, '') }
}
