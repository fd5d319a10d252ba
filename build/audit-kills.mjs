/**
 * An audit by the installed package, killed at random moments: in the folder of a project that has dlg-ts,
 *
 *   node build/audit-kills.mjs
 *
 * The run that was killed three times and gone on with ends with the same records as one that was not, in one process or two.
 */
import { existsSync, rmSync } from 'node:fs'
import { dlg, recordsOf, TRIALS, wholeRun, writeAudit } from './audit-runs.mjs'

const KILLS = 3
const CLIENTS = 6

writeAudit(CLIENTS)

const two = await wholeRun('whole', '--concurrency', '2')
const one = await wholeRun('alone', '--concurrency', '1')
const whole = recordsOf('whole')
if (whole.length !== CLIENTS * TRIALS) throw new Error(`there are ${whole.length} records, and not ${CLIENTS * TRIALS}`)
if (recordsOf('alone').join() !== whole.join()) throw new Error('one process and two give other records')

rmSync('killed', { recursive: true, force: true })
const moments = []
for (let i = 0; i < KILLS; i++) {
  const moment = Math.round(two.ms * (0.2 + 0.5 * Math.random()))
  await dlg(['audit', 'audit.mjs', '--out', 'killed', '--concurrency', '2'], moment)
  moments.push(`${moment} ms: ${existsSync('killed/run.jsonl') ? recordsOf('killed').length : 0} records`)
}
const { code, out } = await dlg(['audit', 'audit.mjs', '--out', 'killed', '--concurrency', '2'])
if (code !== 0) throw new Error(`the run that was killed does not go on: ${out}`)
if (recordsOf('killed').join() !== whole.join()) throw new Error('the run that was killed has other records')

const report = await dlg(['report', 'killed', '--format', 'html,json,junit,markdown,sarif'])
if (report.code !== 1 || !report.out.includes('gives away the data of 6 of 6 clients'))
  throw new Error(`dlg report ended with ${report.code}: ${report.out}`)
console.log(
  `${whole.length} records; killed after ${moments.join(', ')}; two processes ${(one.ms / two.ms).toFixed(2)} times as fast as one`,
)
