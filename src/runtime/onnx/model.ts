import type { Shape } from '../../graph'
import { Message } from './protobuf'

/** ONNX element types. */
export const FLOAT = 1
export const INT64 = 7
export const BOOL = 9

/** A number is an integer; a float is a Float32Array of one. */
export type AttributeValue = number | string | readonly number[] | Float32Array

export interface OnnxNode {
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

export interface OnnxTensor {
  readonly name: string
  readonly shape: Shape
  readonly data: Float32Array | BigInt64Array
}

export interface OnnxValue {
  readonly name: string
  readonly shape: Shape
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxTensor[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

const IR_VERSION = 9
const OPSET = 18
/** Operations of onnxruntime's own domain. */
const CONTRIBUTED = new Set(['FusedMatMul'])
const CONTRIBUTED_DOMAIN = 'com.microsoft'

/** A ModelProto (onnx.proto of ONNX 1.14), field numbers as there. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const body = new Message().bytes(2, 'dlg')
  for (const node of graph.nodes) body.bytes(1, encodeNode(node))
  for (const tensor of graph.initializers) body.bytes(5, encodeTensor(tensor))
  for (const value of graph.inputs) body.bytes(11, encodeValue(value))
  for (const value of graph.outputs) body.bytes(12, encodeValue(value))
  return new Message()
    .integer(1, IR_VERSION)
    .bytes(2, 'dlg-ts')
    .bytes(7, body)
    .bytes(8, new Message().bytes(1, '').integer(2, OPSET))
    .bytes(8, new Message().bytes(1, CONTRIBUTED_DOMAIN).integer(2, 1))
    .finish()
}

function encodeNode({ op, inputs, outputs, attributes }: OnnxNode): Message {
  const node = new Message()
  for (const input of inputs) node.bytes(1, input)
  for (const output of outputs) node.bytes(2, output)
  node.bytes(3, outputs[0]).bytes(4, op)
  if (CONTRIBUTED.has(op)) node.bytes(7, CONTRIBUTED_DOMAIN)
  for (const [name, value] of Object.entries(attributes)) node.bytes(5, encodeAttribute(name, value))
  return node
}

function encodeAttribute(name: string, value: AttributeValue): Message {
  const attribute = new Message().bytes(1, name)
  if (typeof value === 'string') return attribute.bytes(4, value).integer(20, 3)
  if (typeof value === 'number') return attribute.integer(3, value).integer(20, 2)
  if (value instanceof Float32Array) return attribute.float(2, value[0]).integer(20, 1)
  for (const v of value) attribute.integer(8, v)
  return attribute.integer(20, 7)
}

function encodeTensor({ name, shape, data }: OnnxTensor): Message {
  const tensor = new Message()
  for (const n of shape) tensor.integer(1, n)
  return tensor
    .integer(2, data instanceof Float32Array ? FLOAT : INT64)
    .bytes(8, name)
    .bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

function encodeValue({ name, shape }: OnnxValue): Message {
  const dims = new Message()
  for (const n of shape) dims.bytes(1, new Message().integer(1, n))
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, new Message().integer(1, FLOAT).bytes(2, dims)))
}
