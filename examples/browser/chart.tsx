import { useEffect, useRef, useState } from 'preact/hooks'
import Plot from 'uplot'
import type { Report } from './attack.worker'
import { count, decibels } from './words'

const HEIGHT = 200
const DARK = matchMedia('(prefers-color-scheme: dark)')

/** The colours of a line each, which must stand out on either ground. */
const colours = () => (DARK.matches ? { psnr: '#6cb2ff', loss: '#ffb066' } : { psnr: '#0b5fc1', loss: '#a84b00' })

function plotIn(parent: HTMLElement): Plot {
  const { color } = getComputedStyle(parent)
  const { psnr, loss } = colours()
  const axis = { stroke: color, grid: { stroke: `color-mix(in srgb, ${color} 15%, transparent)` }, size: 48 }
  return new Plot(
    {
      width: parent.clientWidth || 300,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, loss: { distr: 3 } },
      axes: [
        { ...axis, size: 30 },
        { ...axis, scale: 'psnr', stroke: psnr },
        {
          ...axis,
          ...{ scale: 'loss', side: 1, stroke: loss, grid: { show: false }, ticks: { show: false }, size: 56 },
          values: (_, ticks) => ticks.map((v) => (v === null ? '' : v.toExponential(0))),
        },
      ],
      series: [
        {},
        { label: 'PSNR', scale: 'psnr', stroke: psnr, width: 2 },
        { label: 'relative loss', scale: 'loss', stroke: loss, width: 2, dash: [6, 4] },
      ],
    },
    [[], [], []],
    parent,
  )
}

/** PSNR, and relative loss on a logarithmic scale, over the evaluations. */
export function Chart({ reports }: { readonly reports: readonly Report[] }) {
  const parent = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot>(undefined)
  const [scheme, setScheme] = useState(DARK.matches)
  useEffect(() => {
    const drawn = plotIn(parent.current!)
    plot.current = drawn
    const watch = new ResizeObserver(([{ contentRect }]) => drawn.setSize({ width: contentRect.width, height: HEIGHT }))
    watch.observe(parent.current!)
    const changed = () => setScheme(DARK.matches)
    DARK.addEventListener('change', changed)
    return () => {
      watch.disconnect()
      DARK.removeEventListener('change', changed)
      drawn.destroy()
    }
  }, [scheme])
  useEffect(() => {
    const positive = (v: number) => (v > 0 ? v : null)
    plot.current?.setData([
      reports.map(({ evaluations }) => evaluations),
      reports.map(({ psnr }) => (Number.isFinite(psnr) ? psnr : null)),
      reports.map(({ relativeLoss }) => positive(relativeLoss)),
    ])
  }, [reports, scheme])
  const last = reports[reports.length - 1]
  const words = last
    ? `After ${count(last.evaluations)} evaluations: ${decibels(last.psnr)}, relative loss ${last.relativeLoss.toExponential(1)}`
    : 'Nothing yet'
  const { psnr, loss } = colours()
  return (
    <figure class="chart">
      <figcaption>
        <span style={{ color: psnr }}>━ PSNR in dB</span> <span style={{ color: loss }}>┅ relative loss</span> over
        evaluations
      </figcaption>
      <div ref={parent} role="img" aria-label={`Chart. ${words}`} />
    </figure>
  )
}
