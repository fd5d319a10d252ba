import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Files whose exports a user can import. */
export const entryFiles = [
  'index',
  'analytic',
  'tabular',
  'attacks/index',
  'defences/index',
  'audit/index',
  'report/index',
  'worker/index',
  'metrics',
  'text',
  'models',
  'io/index',
  'runtime/onnx/web',
].map((name) => `src/${name}.ts`)

/** What an entry exports, with everything in the namespaces among it. */
function exportsOf(checker: ts.TypeChecker, module: ts.Symbol): ts.Symbol[] {
  return checker.getExportsOfModule(module).flatMap((symbol) => {
    const own = resolved(checker, symbol)
    const isNamespace = (own.flags & ts.SymbolFlags.ValueModule) !== 0
    return isNamespace ? exportsOf(checker, own) : [own]
  })
}

const resolved = (checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

/** Parts of a declaration that a caller sees: not the body of a function, nor the value of a constant with a type. */
function visible(node: ts.Node): ts.Node[] {
  const parts: ts.Node[] = []
  node.forEachChild((child) => {
    const hidden = ts.isBlock(child) || (ts.isVariableDeclaration(node) && child === node.initializer && node.type)
    if (!hidden) parts.push(child)
  })
  return parts
}

/** Names of the package's own types in a declaration, with their symbols. */
function mentioned(checker: ts.TypeChecker, node: ts.Node): ts.Symbol[] {
  const name = ts.isTypeReferenceNode(node)
    ? node.typeName
    : ts.isExpressionWithTypeArguments(node)
      ? node.expression
      : undefined
  const symbol = name && checker.getSymbolAtLocation(name)
  const own = symbol && resolved(checker, symbol)
  return [...(own ? [own] : []), ...visible(node).flatMap((child) => mentioned(checker, child))]
}

const isOurs = (symbol: ts.Symbol): boolean =>
  (symbol.declarations ?? []).some((d) => d.getSourceFile().fileName.startsWith(`${root}src/`)) &&
  (symbol.flags & ts.SymbolFlags.TypeParameter) === 0

/**
 * Types that stand in what an entry exports and that no entry exports: `entry: type, in export`. Those that typedoc.json lists as
 * what only the library makes are left out.
 */
export function unexportedTypes(): string[] {
  const program = ts.createProgram(
    entryFiles.map((file) => root + file),
    {
      ...ts.parseJsonConfigFileContent(ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile).config, ts.sys, root)
        .options,
    },
  )
  const checker = program.getTypeChecker()
  const moduleOf = (file: string): ts.Symbol => checker.getSymbolAtLocation(program.getSourceFile(root + file)!)!
  const known = new Set(entryFiles.flatMap((file) => exportsOf(checker, moduleOf(file))))
  const typedoc = JSON.parse(ts.sys.readFile(`${root}typedoc.json`)!) as { intentionallyNotExported?: string[] }
  const ofTheLibrary = new Set((typedoc.intentionallyNotExported ?? []).map((entry) => entry.split(':')[1]))
  return entryFiles.flatMap((file) => {
    const own = exportsOf(checker, moduleOf(file))
    return own.flatMap((symbol) =>
      (symbol.declarations ?? [])
        .flatMap((declaration) => mentioned(checker, declaration))
        .filter((type) => isOurs(type) && !known.has(type) && !ofTheLibrary.has(type.name))
        .map((type) => `${file}: ${type.name}, in ${symbol.name}`),
    )
  })
}
