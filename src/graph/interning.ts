import type { Node, Op, Shape } from './node'

/** One step of FNV-1a over 32 bits. */
const mixed = (hash: number, value: number): number => Math.imul(hash ^ value, 0x01000193)

/** Numbers that differ in their fractions, or in their last digits, differ in their lower 32 bits now. */
const spread = (value: number): number => value * 0x9e3779b1

function valueHash(start: number, value: unknown): number {
  if (typeof value === 'number') return mixed(start, spread(value))
  let hash = start
  if (typeof value === 'string') for (let i = 0; i < value.length; i++) hash = mixed(hash, value.charCodeAt(i))
  else if (Array.isArray(value)) for (const v of value) hash = valueHash(hash, v)
  return hash
}

/** A number that nodes of the same structure share, and few others; `inputs` are numbers that stand for the inputs. */
export function structureHash(op: Op, inputs: readonly number[], attributes: object, shape: Shape): number {
  let hash = valueHash(0x811c9dc5, op)
  for (const n of inputs) hash = mixed(hash, n)
  // lists of inputs and sizes do not run into each other
  hash = mixed(hash, inputs.length)
  for (const n of shape) hash = mixed(hash, n)
  for (const name in attributes) hash = valueHash(hash, attributes[name as keyof typeof attributes])
  return hash
}

/** Whether two attributes are the same numbers, strings, or lists of them; −0 is not 0, and NaN is NaN. */
function sameValue(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a)) return Object.is(a, b)
  return Array.isArray(b) && a.length === b.length && a.every((v, i) => sameValue(v, b[i]))
}

function sameAttributes(a: object, b: object): boolean {
  if (a === b) return true
  for (const name in a) if (!sameValue(a[name as keyof typeof a], b[name as keyof typeof b])) return false
  for (const name in b) if (!(name in a)) return false
  return true
}

/** Whether a node computes this from these inputs. */
export const hasStructure = (node: Node, op: Op, inputs: readonly Node[], attributes: object, shape: Shape): boolean =>
  node.op === op &&
  node.inputs.length === inputs.length &&
  node.shape.length === shape.length &&
  node.inputs.every((n, i) => n === inputs[i]) &&
  node.shape.every((n, i) => n === shape[i]) &&
  sameAttributes(node.attributes, attributes)
