import type { JudgedRow, JudgedTrial, Judgement } from '../../audit'
import { attackOf, text } from './words'

const [WIDTH, HEIGHT] = [240, 150]
const EDGE = { left: 40, right: 8, top: 8, bottom: 22 }

/** Axes that all charts of a page share, so that they can be compared: powers of ten. */
interface Axes {
  /** Most evaluations, as a power of ten. */
  readonly most: number
  /** Lowest relative loss, as a power of ten. */
  readonly least: number
}

/** How every search converged: a small chart for each defence, attack and attacker, with a line for each client. */
export function convergenceSection({ rows, control }: Judgement): string {
  const all = [...control, ...rows].filter(({ trials }) => trials.some(hasTrace))
  // what belongs to one defence stands together
  const searched = [...new Set(all.map(({ description }) => description))].flatMap((description) =>
    all.filter((row) => row.description === description),
  )
  if (searched.length === 0) return ''
  const points = searched.flatMap(({ trials }) => trials.flatMap(({ trace = [] }) => trace))
  const losses = points.map(([, loss]) => loss).filter((loss) => loss > 0)
  const axes = {
    most: Math.max(1, Math.ceil(Math.log10(Math.max(...points.map(([evaluations]) => evaluations))))),
    // float32 tells no smaller one apart
    least: Math.max(-14, Math.floor(Math.log10(Math.min(0.1, ...losses)))),
  }
  return `<section><h2>How the searches converged</h2>
<p>A line for each client: the best relative loss so far, against evaluations; both axes are logarithmic. At 1 nothing of what was shared is matched. Dashed: the loss that
the client’s own data have, where the defence leaves one above the rounding.</p>
<div class="charts">${searched.map((row) => chart(row, axes)).join('\n')}</div></section>`
}

const hasTrace = ({ trace = [] }: JudgedTrial): boolean => trace.length > 0

/** Loss from which a floor is drawn: below it is rounding. */
const DRAWN = 1e-6

function chart(row: JudgedRow, { most, least }: Axes): string {
  const trials = row.trials.filter(hasTrace)
  const x = (evaluations: number) =>
    EDGE.left + (Math.log10(Math.max(1, evaluations)) / most) * (WIDTH - EDGE.left - EDGE.right)
  const y = (loss: number) => {
    const part = Math.min(0, Math.max(least, Math.log10(Math.max(loss, Number.MIN_VALUE)))) / least
    return EDGE.top + part * (HEIGHT - EDGE.top - EDGE.bottom)
  }
  const at = (value: number) => value.toFixed(1)
  const lines = trials.map(({ trace, verdict }) => {
    const [first, ...later] = trace!.map(([evaluations, loss]) => [at(x(evaluations)), at(y(loss))])
    // the best so far stays until a better one
    const steps = later.map(([px, py]) => `H${px}V${py}`).join('')
    return `<path class="trace verdict ${verdict}" d="M${first.join(' ')}${steps}"/>`
  })
  const floors = [...new Set(trials.map(({ floor = 0 }) => floor ** 2).filter((loss) => loss >= DRAWN))]
  // each client's gradient has a norm of its own, and so a floor
  const floor = floors.length === 0 ? '' : line('floor', y(Math.max(...floors)))
  const ends = trials.map(({ trace }) => trace![trace!.length - 1])
  const losses = ends.map(([, loss]) => loss)
  const name = `${row.description}: ${attackOf(trials[0])}`
  const range = [...new Set([Math.min(...losses), Math.max(...losses)].map((loss) => loss.toExponential(1)))].join(
    ' to ',
  )
  const words = `${trials.length} ${trials.length === 1 ? 'search' : 'searches'}, ending at ${range}`
  const middle = (least / 2) | 0
  return `<figure class="chart"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${text(`${name}: ${words}`)}">
${[0, middle, least].map((power) => `${line('axis', y(10 ** power))}<text x="${EDGE.left - 5}" y="${at(y(10 ** power) + 4)}" text-anchor="end">${label(power)}</text>`).join('')}
<text x="${EDGE.left}" y="${HEIGHT - 6}">1</text><text x="${WIDTH - EDGE.right}" y="${HEIGHT - 6}" text-anchor="end">${label(most)} evaluations</text>
${floor}${lines.join('')}</svg><figcaption>${text(name)}<br>${words}</figcaption></figure>`

  function line(kind: string, height: number): string {
    return `<line class="${kind}" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${at(height)}" y2="${at(height)}"/>`
  }
}

/** A power of ten, as short as it can be read. */
const label = (power: number): string => (power >= 0 && power <= 3 ? `${10 ** power}` : `1e${power}`)
