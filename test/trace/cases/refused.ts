/** Why the tracer has no rule for a kernel of tfjs, and what to use instead where there is something. */
export const refusedKernels: Readonly<Record<string, string>> = {
  ...all('a derivative: no forward pass runs it, and the tracer differentiates by rules of its own', [
    ...['AvgPool3DGrad', 'AvgPoolGrad', 'Conv2DBackpropFilter', 'Conv3DBackpropFilterV2'],
    ...['DepthwiseConv2dNativeBackpropFilter', 'DepthwiseConv2dNativeBackpropInput', 'Dilation2DBackpropFilter'],
    ...['Dilation2DBackpropInput', 'EluGrad', 'LRNGrad', 'MaxPool3DGrad', 'MaxPoolGrad', 'ResizeBilinearGrad'],
    ...['ResizeNearestNeighborGrad'],
  ]),
  ...all('complex numbers; the graph has real ones', ['Complex', 'ComplexAbs', 'FFT', 'IFFT', 'Imag', 'Real']),
  ...all('strings', ['StaticRegexReplace', 'StringNGrams', 'StringSplit', 'StringToHashBucketFast']),
  ...all('its shape depends on values', [
    ...['NonMaxSuppressionV3', 'NonMaxSuppressionV4', 'NonMaxSuppressionV5', 'RaggedGather', 'RaggedRange'],
    ...['RaggedTensorToTensor', 'SparseFillEmptyRows', 'SparseReshape', 'Unique'],
  ]),
  ...all('counts or searches whole numbers, which has no slope', [
    ...['BitwiseAnd', 'Bincount', 'DenseBincount', 'SearchSorted'],
  ]),
  ...all('random numbers that depend on values', ['Multinomial']),
  ...all('draws on a canvas', ['Draw']),
  ...all('computes shapes as tensors; give the shape as numbers', ['BroadcastArgs']),
  ...all('no rule has been written; use tf.max or tf.argMax where one is enough', ['TopK']),
  ...all('no rule has been written; use tf.maxPool', ['MaxPoolWithArgmax']),
  ...all('no rule has been written; use tf.mul with tf.eye', ['Diag']),
  ...all('no rule has been written; use tf.scatterND', ['TensorScatterUpdate', 'SparseToDense']),
  ...all('no rule has been written; use tf.gather and a sum', ['SparseSegmentMean', 'SparseSegmentSum']),
  ...all('no rule has been written; use tf.slice, tf.image.resizeBilinear or tf.gather', [
    ...['CropAndResize', 'RotateWithOffset', 'Transform'],
  ]),
  ...all('no rule has been written', ['Dilation2D']),
}

function all(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]))
}
