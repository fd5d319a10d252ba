import { MATCHING } from '../attacks/matching/options'
import { TABLE_SEARCH } from '../attacks/tabular/options'
import { DlgError } from '../errors/dlg-error'
import { inferTableSchema, type TableLeakageOptions, type TableSchema, tableSchema } from '../tabular'
import type { Arguments, Options } from './arguments'
import { TIME_LIMIT, timeLimit } from './attack'
import { flagsOf, OWN_DEFAULTS, type Records, readFlags, without } from './flags'
import { BY_FLAGS, GRADIENT_OPTIONS, type GradientFiles, gradientFiles, modelFile } from './gradient-files'
import { BACKENDS } from './runtime'
import { CLIENT } from './training'

const { labels, iterations, restarts, concurrency, seed, budget } = TABLE_SEARCH
const { scale, precision, runtime } = MATCHING

/** The options of the attack on tables that are flags. */
const TABLE = {
  ...without(CLIENT, 'dataRange'),
  ...{ scale, precision, labels, iterations, restarts, concurrency, seed, budget, runtime },
} as const satisfies Records

/** An attack on the records behind a gradient out of files. */
export interface TableAttack {
  readonly out: string
  readonly backend: (typeof BACKENDS)[number]
  readonly json: boolean
  readonly model: string
  readonly files: GradientFiles
  /** A schema in a file, or a table to infer one from. */
  readonly schema: { readonly file: string } | { readonly csv: string; readonly infer: InferredBy }
  readonly original: string | undefined
  readonly options: TableLeakageOptions
}

type InferredBy = NonNullable<Parameters<typeof inferTableSchema>[1]>

export const TABLE_OPTIONS: Options = {
  ...GRADIENT_OPTIONS,
  schema: {
    value: 'FILE',
    help: 'JSON: {"columns": [...]}, how the client encodes each column, in the order of the inputs',
  },
  csv: {
    value: 'FILE',
    help: "instead of --schema: the table that the client's encoder was fitted to, or one like it",
  },
  columns: {
    value: 'NAME,NAME',
    help: 'which columns of --csv the model reads, in the order of its inputs (default: all)',
  },
  exclude: { value: 'NAME,NAME', help: 'columns of --csv that the model does not read, such as the label' },
  encoders: {
    value: 'NAME=HOW,...',
    help: 'how columns of --csv are encoded: standard, min-max, raw, one-hot, ordinal, binary (default: standard for numbers, else one-hot)',
  },
  original: { value: 'FILE', help: 'a CSV file with the true records, to measure against' },
  'search-only': { help: 'leaves out the exact ways, which come first' },
  out: {
    value: 'FOLDER',
    default: 'dlg-out/table',
    help: 'where the files go; made if missing, other files in it stay',
  },
  ...flagsOf(TABLE, { seed: OWN_DEFAULTS.seed }),
  ...TIME_LIMIT,
  backend: { value: 'NAME', default: 'cpu', help: `of tfjs: ${BACKENDS.join(', ')}` },
  json: { help: 'print the report as JSON instead of lines' },
  help: { help: 'this text' },
}

/** @throws DlgError `invalid-option` */
export function tableAttack(args: Arguments): TableAttack {
  const model = modelFile(args, BY_FLAGS)
  const files = gradientFiles(args)
  const given = readFlags(TABLE, args)
  const limited = timeLimit(args, given.budget)
  return {
    ...{ model, files, schema: schemaFiles(args), original: args.text('original') },
    ...{ out: args.text('out')!, backend: args.choice('backend', BACKENDS), json: args.has('json') },
    options: {
      scale: files.scale,
      ...(given as TableLeakageOptions),
      ...(limited && { budget: limited }),
      ...(files.update && { update: files.update }),
      ...(files.partial && { missing: 'allowed' }),
      exact: !args.has('search-only'),
    },
  }
}

function schemaFiles(args: Arguments): TableAttack['schema'] {
  const [file, csv] = ['schema', 'csv'].map(args.text)
  if ((file === undefined) === (csv === undefined))
    throw new DlgError(
      'invalid-option',
      `${file === undefined ? 'no schema' : '--schema and --csv'} given; give --schema with a JSON file, or --csv with a table`,
    )
  const list = (name: string): string[] | undefined => args.text(name)?.split(',')
  if (file !== undefined) {
    const lone = ['columns', 'exclude', 'encoders'].find(args.has)
    if (lone) throw new DlgError('invalid-option', `--${lone} belongs to --csv; a schema says it itself`)
    return { file }
  }
  const encoders = list('encoders')?.map((pair) => {
    const at = pair.lastIndexOf('=')
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)]
    throw new DlgError('invalid-option', `--encoders is '${pair}'; it must be pairs such as age=min-max,job=one-hot`)
  })
  const infer = {
    ...{ columns: list('columns'), exclude: list('exclude') },
    ...(encoders && { encoders: Object.fromEntries(encoders) }),
  }
  return { csv: csv!, infer }
}

/** The schema of the files. @throws DlgError naming the file */
export function readSchema(schema: TableAttack['schema'], read: (path: string) => string): TableSchema {
  const path = 'file' in schema ? schema.file : schema.csv
  const text = read(path)
  try {
    return 'file' in schema ? tableSchema(text) : inferTableSchema(text, schema.infer)
  } catch (cause) {
    if (cause instanceof DlgError) throw new DlgError(cause.code, `${path}: ${cause.message}`, { cause })
    throw cause
  }
}
