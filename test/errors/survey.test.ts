import { it } from 'vitest'
import { DlgError } from '../../src/errors/dlg-error'
import { entries, rows, wrongs } from './exports'
it('survey', async () => {
  const { writeFileSync, appendFileSync } = await import('node:fs')
  writeFileSync('/tmp/survey.txt', '')
  const lines = { push: (l: string) => appendFileSync('/tmp/survey.txt', l + '\n') }
  const only = process.env.ONLY
  for (const [entry, all] of Object.entries(rows)) for (const [name, right] of Object.entries(all)) {
    if (only && !only.split(',').includes(name)) continue
    appendFileSync('/tmp/at.txt', `${entry} ${name}\n`)
    const call = (entries as any)[entry][name]
    if (typeof call !== 'function') { lines.push(`MISSING ${entry} ${name}`); continue }
    const run = async (args: readonly unknown[]) => { try { const r = name === 'DlgError' ? new call(...args) : await call(...args); if (name==='modelFromFile') await r.load(); return 'ok' } catch (e) { return e instanceof DlgError ? 'DlgError '+e.code+' '+e.message.slice(0,100) : 'BAD ' + String(e).slice(0, 110) } }
    const base = await right()
    const first = await run(base)
    if (first !== 'ok') lines.push(`RIGHT ${entry} ${name}: ${first}`)
    for (let i = 0; i < base.length; i++) for (const [w, value] of wrongs) {
      const args = [...await right()]; args[i] = value
      appendFileSync('/tmp/at.txt', `  ${i} ${w}\n`)
      const t = performance.now()
      const r = await run(args)
      const ms = performance.now() - t
      if (r.startsWith('BAD')) lines.push(`${entry} ${name}[${i}] ${w}: ${r}`)
      if (r === 'ok') lines.push(`OK ${entry} ${name}[${i}] ${w}`)
      if (ms > 500) lines.push(`SLOW ${entry} ${name}[${i}] ${w}: ${ms.toFixed(0)} ms ${r}`)
    }
  }
}, 600000)
