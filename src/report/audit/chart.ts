import type { AuditVerdict } from '../../audit'
import { type Spread, spreadWords } from './spread'
import { cosineWords, text } from './words'

/** One defence in the chart. */
interface Point {
  readonly name: string
  readonly verdict: AuditVerdict
  /** Cosine of what is shared with the raw gradient. */
  readonly cosine: number
  /** PSNR of the closest reconstruction of each sample, in dB. */
  readonly closest: Spread
}

const [WIDTH, HEIGHT] = [440, 300]
const EDGE = { left: 56, right: 24, top: 16, bottom: 48 }

/** Distance at which two points are one to the eye. */
const NEAR = 12

/** Utility against leak, as an SVG: what is down and to the right hides much and costs little. */
export function tradeOff(points: readonly Point[]): string {
  const least = Math.min(0, ...points.map(({ cosine }) => cosine))
  const most = Math.max(30, ...points.map(({ closest }) => closest.high))
  const x = (cosine: number) => EDGE.left + ((cosine - least) / (1 - least)) * (WIDTH - EDGE.left - EDGE.right)
  const y = (psnr: number) => HEIGHT - EDGE.bottom - (psnr / most) * (HEIGHT - EDGE.top - EDGE.bottom)
  const lines = steps(most).map(
    (psnr) =>
      `<line class="axis" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y(psnr)}" y2="${y(psnr)}"/><text x="${EDGE.left - 8}" y="${y(psnr) + 4}" text-anchor="end">${psnr}</text>`,
  )
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (cosine) => `<text x="${x(cosine)}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle">${cosine}</text>`,
  )
  const dots = points.map(({ name, verdict, cosine, closest }, i) => {
    const end = x(cosine) > WIDTH / 2
    // points that fall together are told apart by their numbers, side by side
    const near = points
      .slice(0, i)
      .filter((one) => Math.hypot(x(one.cosine) - x(cosine), y(one.closest.median) - y(closest.median)) < NEAR).length
    const away = 9 + NEAR * near
    const words = `${i + 1}`
    const { median, low, high } = closest
    const bar = `<path class="bar" d="M${x(cosine) - 4} ${y(high)}h8m-4 0V${y(low)}m-4 0h8"/>`
    return `<g class="verdict ${verdict}">${closest.count > 1 ? bar : ''}<circle cx="${x(cosine)}" cy="${y(median)}" r="5"><title>${wordsOf({ name, cosine, closest })}</title></circle><text x="${x(cosine) + (end ? -away : away)}" y="${y(median) + 4}" text-anchor="${end ? 'end' : 'start'}">${words}</text></g>`
  })
  const key = points.map((point) => `<li>${wordsOf(point)}</li>`)
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="PSNR of the closest reconstruction against the cosine to the raw gradient, a point for each defence; the list below has the numbers">
${lines.join('')}${ticks.join('')}${dots.join('')}
<text x="${(WIDTH + EDGE.left) / 2}" y="${HEIGHT - 8}" text-anchor="middle">cosine of what is shared with the raw gradient</text>
<text transform="translate(14 ${(HEIGHT - EDGE.bottom) / 2}) rotate(-90)" text-anchor="middle">closest, dB</text>
</svg><ol>${key.join('')}</ol>`
}

const wordsOf = ({ name, cosine, closest }: Pick<Point, 'name' | 'cosine' | 'closest'>): string =>
  `${text(name)}: cosine ${cosineWords(cosine)}, ${spreadWords(closest)}`

/** Round numbers of dB from 0. */
const steps = (most: number): number[] => Array.from({ length: Math.floor(most / 10) + 1 }, (_, i) => i * 10)
