export { type DenseRows, type DenseRowsOptions, denseRows } from './dense-rows'
export type { SpearProgress } from './search'
export { type Spear, type SpearOptions, spear } from './spear'
