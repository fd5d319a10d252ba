/** Rows as text in columns: the first is a name, the others numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((n) => '─'.repeat(n)).join('  '), ...rows.map(line)].join('\n')
}

/** Three significant digits, no exponent. */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–'
  if (value >= 100) return value.toFixed(0)
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3)
}

export const ratio = (theirs: number | undefined, mine: number | undefined): string =>
  theirs === undefined || mine === undefined ? '–' : `${short(theirs / mine)}×`
