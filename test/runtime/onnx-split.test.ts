import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { readOnnx } from '../../src/models/onnx/messages'
import { onnx } from '../../src/runtime/onnx/node'
import { lowerProgram } from '../../src/runtime/onnx/program'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { uniform } from '../oracle'

/** Every row of x by itself, each with a weight of its own: parts of one node, one after the other. */
function rows(count: number) {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [count, 6])
  const parts = Array.from({ length: count }, (_, i) => g.slice(x, [i, 0], [1, 6]))
  const outputs = parts.map((part, i) => g.exp(g.scale(part, 1 / (i + 1))))
  return { inputs: [x], outputs }
}

describe('a node that is taken apart, on onnxruntime-node', () => {
  it.each([2, 7, 8, 30, 60])(
    'into %i parts, by one kernel, or on a GPU by kernels of at most seven outputs',
    async (count) => {
      const program = rows(count)
      const splits = (onProcessor: boolean) =>
        readOnnx(lowerProgram(program, onProcessor).encode(new Map())).graph!.node.filter((n) => n.opType === 'Split')
      expect(splits(true).map(({ output }) => output.length)).toEqual([count])
      expect(splits(false).length).toBeGreaterThan(0)
      for (const { output } of splits(false)) expect(output.length).toBeLessThanOrEqual(7)
      const x = [uniform(count * 6, -1, 1)]
      const [found, expected] = await Promise.all([
        evaluate(onnx(), program, new Map(), x),
        evaluate(reference(), program, new Map(), x),
      ])
      found.forEach((values, i) => {
        values.forEach((v, k) => {
          expect(v).toBeCloseTo(expected[i][k], 5)
        })
      })
    },
  )
})
