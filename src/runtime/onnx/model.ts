import type { Shape } from '../../graph'
import { ProtobufWriter } from './protobuf'

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

/** Bytes of a node with its names, about. */
const NODE_BYTES = 256

/** A ModelProto (onnx.proto of ONNX 1.14), field numbers as there. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const tensors = graph.initializers.reduce((bytes, { data }) => bytes + data.byteLength + NODE_BYTES, 0)
  const w = new ProtobufWriter(tensors + NODE_BYTES * (graph.nodes.length + graph.inputs.length + graph.outputs.length))
  return w
    .integer(1, IR_VERSION)
    .bytes(2, 'dlg-ts')
    .message(7, () => {
      w.bytes(2, 'dlg')
      for (const node of graph.nodes) w.message(1, () => writeNode(w, node))
      for (const tensor of graph.initializers) w.message(5, () => writeTensor(w, tensor))
      for (const value of graph.inputs) w.message(11, () => writeValue(w, value))
      for (const value of graph.outputs) w.message(12, () => writeValue(w, value))
    })
    .message(8, () => w.bytes(1, '').integer(2, OPSET))
    .message(8, () => w.bytes(1, CONTRIBUTED_DOMAIN).integer(2, 1))
    .finish()
}

function writeNode(w: ProtobufWriter, { op, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) w.bytes(1, input)
  for (const output of outputs) w.bytes(2, output)
  w.bytes(3, outputs[0]).bytes(4, op)
  if (CONTRIBUTED.has(op)) w.bytes(7, CONTRIBUTED_DOMAIN)
  for (const name in attributes) w.message(5, () => writeAttribute(w, name, attributes[name]))
}

function writeAttribute(w: ProtobufWriter, name: string, value: AttributeValue): void {
  w.bytes(1, name)
  if (typeof value === 'string') w.bytes(4, value).integer(20, 3)
  else if (typeof value === 'number') w.integer(3, value).integer(20, 2)
  else if (value instanceof Float32Array) w.float(2, value[0]).integer(20, 1)
  else {
    for (const v of value) w.integer(8, v)
    w.integer(20, 7)
  }
}

function writeTensor(w: ProtobufWriter, { name, shape, data }: OnnxTensor): void {
  for (const n of shape) w.integer(1, n)
  w.integer(2, data instanceof Float32Array ? FLOAT : INT64)
    .bytes(8, name)
    .bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

function writeValue(w: ProtobufWriter, { name, shape }: OnnxValue): void {
  const type = () => {
    w.integer(1, FLOAT).message(2, () => {
      for (const n of shape) w.message(1, () => w.integer(1, n))
    })
  }
  w.bytes(1, name).message(2, () => w.message(1, type))
}
