import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import { type Call, type Operators, of } from '../call'

/**
 * softmax(scale · Q Kᵀ + mask) V of ONNX 23. Heads are an axis of four, or lie in the last of three. Several heads of queries may share
 * one of keys and values.
 */
function attention(call: Call): g.Node {
  for (const [i, what] of [
    [4, 'keys of earlier calls'],
    [5, 'values of earlier calls'],
    [6, 'lengths of its keys'],
  ] as const)
    if (call.optional(i)) throw call.refuse(`has ${what}, which are not supported; export the model without a cache`)
  const flat = call.x(0).shape.length === 3
  const q = withHeads(call, 0, 'q_num_heads')
  const k = withHeads(call, 1, 'kv_num_heads')
  const v = withHeads(call, 2, 'kv_num_heads')
  const [batch, heads, length, width] = q.shape
  const [, keyHeads, keys] = k.shape
  const each = heads / keyHeads
  if (!Number.isInteger(each) || v.shape[1] !== keyHeads)
    throw call.wrong(`has ${countOf(heads, 'head')} of queries, ${keyHeads} of keys and ${v.shape[1]} of values`)
  const grouped = (x: g.Node, ...shape: number[]) => (each === 1 ? x : g.reshape(x, [batch, keyHeads, ...shape]))
  const product = g.matMul(grouped(q, each, length, width), g.swapLast(grouped(k, 1, keys, width)))
  const scale = call.number('scale', 1 / Math.sqrt(width))
  const scores = masked(call, capped(call, g.mul(g.reshape(product, [batch, heads, length, keys]), of(q, scale))))
  const weights = grouped(g.softmax(scores), each, length, keys)
  const y = g.matMul(weights, grouped(v, 1, keys, v.shape[3]))
  const apart = g.reshape(y, [batch, heads, length, v.shape[3]])
  return flat ? g.reshape(g.transpose(apart, [0, 2, 1, 3]), [batch, length, heads * v.shape[3]]) : apart
}

/** [batch, heads, positions, width] */
function withHeads(call: Call, i: number, attribute: string): g.Node {
  const x = call.x(i)
  if (x.shape.length === 4) return x
  const heads = call.integer(attribute, 0)
  const [batch, length, width] = x.shape
  if (x.shape.length !== 3 || !(heads > 0) || width % heads !== 0)
    throw call.wrong(`input ${i} has the shape [${x.shape}]; it must have four axes, or three and ${attribute}`)
  return g.transpose(g.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3])
}

function capped(call: Call, scores: g.Node): g.Node {
  const cap = call.number('softcap', 0)
  return cap > 0 ? g.mul(g.tanh(g.mul(scores, of(scores, 1 / cap))), of(scores, cap)) : scores
}

/** What a position must not see is −∞: by a mask of truth or of numbers to add, and by its place. */
function masked(call: Call, scores: g.Node): g.Node {
  const mask = call.optional(3)
  const never = of(scores, Number.NEGATIVE_INFINITY)
  // one standard repeats a shorter mask, the next one fills it up with −∞
  if (mask && mask.shape.at(-1) !== scores.shape.at(-1))
    throw call.refuse(
      `has a mask [${mask.shape}] for ${countOf(scores.shape.at(-1) ?? 0, 'key')}; its last axis must be as long`,
    )
  let out = scores
  if (mask) out = call.kind(3) === 'float' ? g.add(out, mask) : g.select(mask, out, never)
  if (call.integer('is_causal', 0) === 0) return out
  const [length, keys] = scores.shape.slice(-2)
  const seen = Float64Array.from({ length: length * keys }, (_, i) => (i % keys <= Math.floor(i / keys) ? 1 : 0))
  return g.select(call.constant(seen, [length, keys]), out, never)
}

export const attentionOperators: Operators = { Attention: attention }
