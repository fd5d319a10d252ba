import { opCases } from './cases/ops'
import { tfjsOutput, traceOp } from './problem'
import { tabulate } from './table'

tabulate(opCases.map((c) => ({ name: c.name, trace: () => traceOp(c), forward: () => tfjsOutput(c) })))
