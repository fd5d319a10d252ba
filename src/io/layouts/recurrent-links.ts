import { DlgError } from '../../errors/dlg-error'
import type { Layer } from './layer-groups'
import type { Link } from './layer-links'
import type { Layout } from './layout'

/** Gates a unit has, by kind of layer. */
const GATES: Readonly<Record<number, string>> = { 1: 'RNN', 3: 'GRU', 4: 'LSTM' }
/** PyTorch's reset, update, new are Keras's update, reset, hidden. Both have an LSTM's as input, forget, cell, output. */
const GRU_ORDER = [1, 0, 2]

/**
 * The links of one recurrent cell; undefined when the shapes do not fit.
 *
 * PyTorch adds two biases, one with the input and one with the state. Where Keras has one, it is their sum, and all three
 * have the same gradient. A GRU's second bias lies within the reset gate's product, so there Keras keeps both.
 *
 * @throws DlgError `invalid-gradients` when the layers differ as functions.
 */
export function recurrentLinks(torch: Layer, tfjs: Layer): Link[] | undefined {
  const [input, state] = ['weight_ih', 'weight_hh'].map((role) => torch.roles.get(role))
  const [kernel, recurrent, bias] = ['kernel', 'recurrent_kernel', 'bias'].map((role) => tfjs.roles.get(role))
  if (!input || !state || !kernel || !recurrent) return undefined
  const [rows, units] = state.shape
  const gates = rows / units
  const fits =
    GATES[gates] &&
    isTransposed(input.shape, kernel.shape) &&
    isTransposed(state.shape, recurrent.shape) &&
    tfjs.roles.size === (bias ? 3 : 2)
  if (!fits) return undefined
  checkFunction(torch, gates, bias?.shape, units)

  const transposed = ([out, size]: readonly number[]): Layout => ({
    name: gates === 3 ? '[r z n, in] → [in, z r h]' : '[out, in] → [in, out]',
    view: [out, size],
    axes: [1, 0],
    ...(gates === 3 && { blocks: GRU_ORDER }),
  })
  const links: Link[] = [
    { torch: [input.name], tfjs: kernel.name, tfjsShape: kernel.shape, layouts: [transposed(input.shape)] },
    { torch: [state.name], tfjs: recurrent.name, tfjsShape: recurrent.shape, layouts: [transposed(state.shape)] },
  ]
  const [inputBias, stateBias] = ['bias_ih', 'bias_hh'].map((role) => torch.roles.get(role))
  if (!bias || !inputBias || !stateBias) return !bias && !inputBias && !stateBias ? links : undefined
  const biasLength = gates === 3 ? bias.shape[1] : bias.shape.length === 1 ? bias.shape[0] : undefined
  if (inputBias.shape[0] !== biasLength || stateBias.shape[0] !== biasLength) return undefined
  const layout: Layout =
    gates === 3
      ? { name: 'r z n → z r h', view: [rows], axes: [0], blocks: GRU_ORDER }
      : { name: 'as it is', view: [rows], axes: [0] }
  const link = {
    torch: [inputBias.name, stateBias.name],
    tfjs: bias.name,
    tfjsShape: bias.shape,
    layouts: [layout, layout],
  }
  return [...links, { ...link, biases: gates === 3 ? 'rows' : 'sum' }]
}

function checkFunction(torch: Layer, gates: number, bias: readonly number[] | undefined, units: number): void {
  if (torch.roles.has('weight_hr')) {
    throw new DlgError(
      'invalid-gradients',
      `'${torch.name}' is an LSTM with a projection of its state (proj_size), which no tfjs layer has; its gradients cannot be mapped`,
    )
  }
  const twoBiases = bias?.length === 2 && bias[0] === 2 && bias[1] === 3 * units
  if (gates === 3 && !twoBiases) {
    throw new DlgError(
      'invalid-gradients',
      `'${torch.name}' is a GRU, whose reset gate acts after the recurrent product. Its counterpart is reset_after=True with a bias of [2, ${3 * units}], but tfjs's GRU, with ${bias ? `[${bias}]` : 'none'}, resets before: the two differ as functions, so no mapping is exact; use an LSTM, or train in tfjs`,
    )
  }
}

function isTransposed(torch: readonly number[], tfjs: readonly number[]): boolean {
  return torch.length === 2 && tfjs.length === 2 && torch[0] === tfjs[1] && torch[1] === tfjs[0]
}
