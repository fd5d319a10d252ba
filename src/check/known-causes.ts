/** A first-order gradient that tfjs 4.22 computes wrongly. */
interface KnownCause {
  readonly kernels: readonly string[]
  /** Where; everywhere if undefined. */
  readonly backends?: readonly string[]
  readonly is: string
}

const CAUSES: readonly KnownCause[] = [
  {
    kernels: ['AvgPool', 'AvgPool3D'],
    backends: ['cpu', 'wasm'],
    is: "average pooling with 'same' padding: the forward pass divides by the elements inside the image, the gradient by the whole window; use 'valid'",
  },
  {
    kernels: ['MaxPool'],
    backends: ['wasm'],
    is: 'max-pooling on wasm: the gradient is wrong where no element of a window is above 0; put a ReLU before it, or train on another backend',
  },
  { kernels: ['MirrorPad'], is: 'mirror padding: the gradient leaves out what was mirrored; pad with zeros' },
  { kernels: ['Conv3D'], backends: ['wasm'], is: 'convolution over three axes on wasm; train on another backend' },
]

/** The known faults of tfjs among the kernels that a model runs, as a sentence. */
export function knownCauses(kernels: ReadonlySet<string>, backend: string): string {
  const found = CAUSES.filter(
    (cause) => cause.kernels.some((k) => kernels.has(k)) && (cause.backends?.includes(backend) ?? true),
  )
  if (found.length === 0) return 'No known cause is among its operations: please report the model'
  return `Known cause: ${found.map(({ is }) => is).join('; or ')}`
}
