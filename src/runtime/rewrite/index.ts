import { createGraph, type Node, reachable } from '../../graph'
import { structureHash } from '../../graph/interning'
import type { Program } from '../runtime'
import { rewriteArithmetic } from './arithmetic'
import { openClosedForms, openSwishes } from './closed-forms'
import { costOf } from './cost'
import { joinDifferences } from './differences'
import { flattenAsTheyLie } from './flattened'
import { takeIntoProducts } from './gemm'
import { joinInputGradients } from './input-gradients'
import { shareProducts } from './products'
import {
  columnsAsRows,
  joinReshapes,
  joinTransposes,
  multiplyRows,
  shareTransposes,
  transposeWhole,
  turnProducts,
} from './swaps'

/** The rules, in the order in which they are applied. Each gives outputs of the same values. */
export const RULES: readonly ((outputs: readonly Node[]) => Node[])[] = [
  turnProducts,
  columnsAsRows,
  rewriteArithmetic,
  shareProducts,
  joinTransposes,
  joinDifferences,
  transposeWhole,
  shareTransposes,
  flattenAsTheyLie,
  joinReshapes,
  multiplyRows,
  joinInputGradients,
  takeIntoProducts,
  openSwishes,
]

/**
 * A program of the same values, computed by fewer and smaller kernels, in a graph of its own. Nothing about it can be simplified or
 * differentiated further: this is the last thing that happens to a graph before a runtime runs it.
 */
export function rewritten(program: Program): Program {
  const copy = copied(program, ordered(program))
  const closed = openClosedForms(copy.outputs)
  const outputs = RULES.reduce((nodes, rule) => rule(nodes), closed)
  const opened = openSwishes(closed)
  const taken = costOf(outputs) < costOf(opened) ? outputs : opened
  // what the rules tried and did not take is left behind
  const same = taken.every((node, i) => node === copy.outputs[i])
  return same ? copy : copied({ inputs: copy.inputs, outputs: taken }, (node) => node.inputs)
}

/** The program in a new graph, which has no other nodes. Nodes are numbered in the order in which their inputs are visited. */
function copied({ inputs, outputs }: Program, operands: (node: Node) => readonly Node[]): Program {
  const graph = createGraph()
  const made = new Map<Node, Node>()
  const stack = [...inputs, ...outputs].reverse()
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (made.has(node)) continue
    const sources = operands(node)
    const missing = sources.filter((n) => !made.has(n))
    if (missing.length > 0) stack.push(node, ...missing.reverse())
    else made.set(node, graph.intern(node.op, sources.map((n) => made.get(n)!), node.attributes, node.shape)) // biome-ignore format: one line
  }
  const of = (node: Node): Node => made.get(node)!
  return { inputs: inputs.map(of) as Node<'input'>[], outputs: outputs.map(of) }
}

/**
 * The operands of a node in an order that says what they compute: rules that go by the order of nodes do the same to equal
 * programs, however they came about.
 */
function ordered({ inputs, outputs }: Program): (node: Node) => readonly Node[] {
  const digests = digestsOf([...inputs, ...outputs])
  return ({ op, inputs }) =>
    op === 'add' || op === 'mul' ? [...inputs].sort((a, b) => place(a) - place(b) || digests.get(a)! - digests.get(b)!) : inputs // biome-ignore format: one line
}

/** What varies comes first among operands, and numbers last. */
const place = (node: Node): number => (node.varying ? 0 : node.op === 'constant' ? 2 : 1)

/** A number for each node that says what it computes, whatever the order in which nodes were made. */
function digestsOf(outputs: readonly Node[]): ReadonlyMap<Node, number> {
  const digests = new Map<Node, number>()
  let leaves = 0
  for (const node of reachable(outputs)) {
    const { op, shape } = node
    const sources = node.inputs.map((n) => digests.get(n)!)
    if (op === 'add' || op === 'mul') sources.sort((a, b) => a - b)
    // names differ between models that are otherwise the same
    const named = op === 'input' || op === 'parameter'
    digests.set(node, structureHash(op, named ? [leaves++] : sources, named ? {} : node.attributes, shape))
  }
  return digests
}
