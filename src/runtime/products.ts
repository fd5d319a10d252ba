import * as g from '../graph'
import type { MatrixProducts } from '../optim'
import type { Evaluator, Runtime } from './runtime'

/** Products with a matrix of `rows` rows, run where the objective runs, for the optimizer. */
export async function matrixProducts(
  runtime: Runtime,
  rows: number,
  columns: number,
): Promise<MatrixProducts & { dispose(): void }> {
  const evaluators: Evaluator[] = []
  const compile = async (
    inputShape: g.Shape,
    product: (matrix: g.Node, vector: g.Node) => g.Node,
  ): Promise<Evaluator> => {
    const graph = g.createGraph()
    const matrix = g.input(graph, 'matrix', [rows, columns])
    const vector = g.input(graph, 'vector', inputShape)
    const executable = await runtime.compile({ inputs: [matrix, vector], outputs: [product(matrix, vector)] })
    const evaluator = await executable.bind(new Map())
    evaluators.push({
      ...evaluator,
      dispose() {
        evaluator.dispose()
        executable.dispose()
      },
    })
    return evaluator
  }
  const multiply = await compile([columns, 1], (matrix, vector) => g.matMul(matrix, vector))
  const combine = await compile([1, rows], (matrix, vector) => g.matMul(vector, matrix))
  return {
    rows,
    multiply: async (matrix, vector) => (await multiply.run([matrix, vector]))[0],
    combine: async (matrix, coefficients) => (await combine.run([matrix, coefficients]))[0],
    dispose: () => {
      for (const evaluator of evaluators) evaluator.dispose()
    },
  }
}
