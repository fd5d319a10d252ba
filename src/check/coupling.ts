import type { TracedExample } from '../client/trace-example'
import { normOf } from '../numbers/norms'
import { evaluate, type Values } from '../runtime/runtime'
import type { Finding } from './report'

/** Relative change of an output that is more than rounding. */
const ROUNDING = 1e-5

/**
 * Whether the first sample's output changes when the last sample becomes a copy of the first: under batch statistics it
 * does.
 */
export async function checkCoupling(example: TracedExample): Promise<Finding[]> {
  const { traced, settings, inputs, values, parameters, batchSize, data } = example
  if (batchSize === 1) return []
  const program = { inputs, outputs: traced.outputs.map(({ node }) => node) }
  const copied = values.map((v, i) => (i < data.length ? withCopy(v, batchSize) : v))
  const before = await evaluate(settings.runtime, program, parameters, values)
  const after = await evaluate(settings.runtime, program, parameters, copied)
  const coupled = before.some((v, i) => {
    const first = v.subarray(0, v.length / batchSize)
    return normOf([first.map((x, j) => x - after[i][j])]) > ROUNDING * normOf([first])
  })
  const message =
    'the samples of a batch depend on each other, as under a batch norm in training mode: closed forms for single samples do not hold, and the batch must be searched together'
  return coupled ? [{ level: 'warning', code: 'batch-coupling', message }] : []
}

function withCopy(values: Values, batchSize: number): Values {
  const copied = values.slice()
  const size = values.length / batchSize
  copied.set(values.subarray(0, size), values.length - size)
  return copied
}
