import { type Node, sizeOf } from '../../graph'
import { needed, runs } from '../plan'

/** A kernel takes as long to start as it takes for so many numbers. */
const NUMBERS_PER_START = 8192

/** Cost of a kernel that writes so many numbers, in starts of a kernel. */
export const kernelCost = (numbers: number): number => 1 + numbers / NUMBERS_PER_START

/** Cost of all kernels that run with every evaluation, by what they write. */
export const costOf = (outputs: readonly Node[]): number =>
  needed(outputs).reduce((cost, node) => (runs(node) ? cost + kernelCost(sizeOf(node.shape)) : cost), 0)
