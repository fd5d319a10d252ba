import type { Values } from './values'

/** The median of some numbers, of an even count the upper of the two in the middle; 0 of none. */
export const median = (values: Values | readonly number[]): number =>
  Float64Array.from(values).sort()[values.length >> 1] ?? 0
