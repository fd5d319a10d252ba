import * as g from '../../../graph'
import { kernels } from '../../../trace'
import type { Call, Operators } from '../call'

/** α A B + β C, where A and B may be transposed and C is broadcast. */
function gemm(call: Call): g.Node {
  const turned = (x: g.Node, attribute: string) => (call.integer(attribute, 0) ? g.swapLast(x) : x)
  const product = g.matMul(turned(call.x(0), 'transA'), turned(call.x(1), 'transB'))
  const scaled = scaledBy(product, call.number('alpha', 1))
  const c = call.optional(2)
  return c ? g.add(scaled, scaledBy(c, call.number('beta', 1))) : scaled
}

const scaledBy = (x: g.Node, factor: number): g.Node => (factor === 1 ? x : g.scale(x, factor))

/** NumPy's product: a vector is a row on the left and a column on the right, and the axis it lacks is not in the result. */
function matMul(call: Call): g.Node {
  const [a, b] = [call.x(0), call.x(1)]
  const [left, right] = [a.shape.length === 1, b.shape.length === 1]
  const product = g.matMul(left ? g.reshape(a, [1, ...a.shape]) : a, right ? g.reshape(b, [...b.shape, 1]) : b)
  const rank = product.shape.length
  return g.reshape(
    product,
    product.shape.filter((_, i) => !(left && i === rank - 2) && !(right && i === rank - 1)),
  )
}

/** Without an arrow, the letters that occur once are kept, in the order of the alphabet. */
function einsum(call: Call): g.Node {
  const operands = call.inputs.map((_, i) => call.x(i))
  const equation = call.text('equation', '').replace(/\s/g, '')
  if (!/^[a-zA-Z,]+(->[a-zA-Z]*)?$/.test(equation))
    throw call.refuse(`equation '${equation}' must be letters, as in 'bij,bjk->bik', without '…'`)
  const [left, kept] = equation.split('->')
  const terms = left.split(',')
  const fits = terms.length === operands.length && terms.every((t, i) => t.length === operands[i].shape.length)
  if (!fits) throw call.wrong(`equation '${equation}' does not fit its inputs`)
  if (terms.some((t) => new Set(t).size < t.length)) throw call.refuse(`equation '${equation}' takes a diagonal`)
  const once = [...left.replaceAll(',', '')].filter((c, _, all) => all.filter((other) => other === c).length === 1)
  const out = kept ?? once.sort().join('')
  return kernels.Einsum(Object.fromEntries(operands.entries()), { equation: `${left}->${out}` }, call.graph) as g.Node
}

export const productOperators: Operators = { Gemm: gemm, MatMul: matMul, Einsum: einsum }
