import type { Float32Tensor } from '../io'

/**
 * Pictures as the model here takes them: those with the channels first, as PyTorch has them, are turned. They are known by their shape,
 * [channels, height, width] where a sample is [height, width, channels] and another shape.
 *
 * @param tensor of a batch, or of one sample
 * @param sample shape of one sample
 */
export function withChannelsLast<T extends Pick<Float32Tensor, 'shape' | 'data'>>(
  tensor: T,
  sample: readonly (number | null)[],
): T {
  const [height, width, channels] = sample
  const own = tensor.shape.slice(-3)
  const isFirst = sample.length === 3 && own.join() === [channels, height, width].join() && own.join() !== sample.join()
  if (!isFirst || tensor.shape.length > 4) return tensor
  const [c, h, w] = own
  const data = new Float32Array(tensor.data.length)
  for (let i = 0; i < data.length; i++) {
    const [at, channel] = [Math.floor(i / c), i % c]
    const picture = Math.floor(at / (h * w))
    data[i] = tensor.data[(picture * c + channel) * h * w + (at % (h * w))]
  }
  return { ...tensor, shape: [...tensor.shape.slice(0, -3), h, w, c], data }
}
