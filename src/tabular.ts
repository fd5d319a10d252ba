/**
 * Records of a table out of a shared gradient: schemas, CSV files, the attack, and what is right in its result.
 *
 * @module dlg-ts/tabular
 */

export { readTable } from './attacks/tabular/csv'
export { decodeTable, encodeTable } from './attacks/tabular/encode'
export { type InferSchemaOptions, inferTableSchema, type TableEncoder } from './attacks/tabular/infer-schema'
export { deepLeakageFromTable, type TableConfidence, type TableLeakage } from './attacks/tabular/leakage'
export {
  type MeasuredRecord,
  type MeasuredTable,
  measureTable,
  type TableMeasureOptions,
} from './attacks/tabular/measure'
export type { TableLeakageOptions, TableProgress } from './attacks/tabular/options'
export { type ReportedTable, tableCsv, tableHtml, tableText } from './attacks/tabular/report'
export {
  type BinaryColumn,
  type CategoricalColumn,
  type NumericColumn,
  type OrdinalColumn,
  type TableColumn,
  type TableRecord,
  type TableSchema,
  tableSchema,
} from './attacks/tabular/schema'
