import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Report, Result, Shared } from './attack.worker'
import { Chart } from './chart'
import { Compare } from './compare'
import { Controls } from './controls'
import { Device } from './device'
import type { TabProps } from './page'
import { PhotoPicker } from './photo-picker'
import { batchOf, readPhoto, SIDE } from './photographs'
import { Picture, pngOf, rgba, save } from './picture'
import type { Settings } from './settings'
import { closeness, count, decibels, STATUS_WORDS, STOPPED_EARLY, seconds, sentence, toneOf } from './words'

/** Most frames of a film. */
const FRAMES = 60

type Phase = 'ready' | 'sharing' | 'running' | 'paused' | 'done'

/** The device shares the gradient of photos, and the server paints them. */
export function PhotoTab({ settings, session, onChange }: TabProps) {
  const [own, setOwn] = useState<Float32Array>()
  const [photos, setPhotos] = useState<readonly Float32Array[]>([])
  const [phase, setPhase] = useState<Phase>('ready')
  const [shared, setShared] = useState<Shared>()
  const [reports, setReports] = useState<readonly Report[]>([])
  const [result, setResult] = useState<Result>()
  const [problem, setProblem] = useState<string>()
  const stop = useRef<AbortController>(undefined)
  const frames = useRef<Float32Array[]>([])
  const serverSide = useRef<HTMLElement>(null)

  useEffect(() => {
    let wanted = true
    batchOf(settings.photo, own, settings.batch).then((batch) => wanted && setPhotos(batch), failed)
    return () => {
      wanted = false
    }
  }, [settings.photo, settings.batch, own])

  const failed = (error: unknown): void => {
    setProblem(error instanceof Error ? error.message : String(error))
    setPhase('ready')
  }
  const clear = (): void => {
    setShared(undefined)
    setReports([])
    setResult(undefined)
    setProblem(undefined)
    setPhase('ready')
    frames.current = []
  }
  const change = (next: Settings): void => {
    clear()
    onChange(next)
  }
  const takeFile = useCallback((file: Blob): void => {
    clear()
    readPhoto(file).then(setOwn, () => failed('This file is no picture that the browser can read.'))
  }, [])

  const start = async (): Promise<void> => {
    clear()
    setPhase('sharing')
    try {
      const far = await session!
      await far.resume()
      setShared(await far.share(settings, photos))
      setPhase('running')
      // on a phone it lies below
      serverSide.current?.scrollIntoView({ behavior: 'smooth', block: 'nearest' })
      stop.current = new AbortController()
      const onReport = (report: Report): void => {
        setReports((before) => [...before, report])
        frames.current.push(report.pictures[0])
      }
      setResult(await far.leak({ onReport, signal: stop.current.signal }))
      setPhase('done')
    } catch (error) {
      failed(error)
    }
  }
  const pause = async (): Promise<void> => {
    const far = await session!
    if (phase === 'paused') await far.resume()
    else await far.pause()
    setPhase(phase === 'paused' ? 'running' : 'paused')
  }
  const step = async (): Promise<void> => {
    setPhase('paused')
    await (await session!).step()
  }
  const saveFilm = async (): Promise<void> => {
    const every = Math.max(1, Math.ceil(frames.current.length / FRAMES))
    const some = frames.current.filter((_, i) => i % every === 0)
    const last = frames.current[frames.current.length - 1]
    const bytes = await (await session!).film([...some, last, last, last])
    save(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'image/gif' }), 'reconstruction.gif')
  }

  const busy = phase === 'sharing' || phase === 'running' || phase === 'paused'
  const latest = result?.last ?? reports[reports.length - 1]
  const found = result?.last?.pictures[0]
  return (
    <div>
      <PhotoPicker
        photo={settings.photo}
        own={own !== undefined}
        disabled={busy}
        onPick={(photo) => {
          setOwn(undefined)
          change({ ...settings, photo })
        }}
        onFile={takeFile}
      />
      <Controls settings={settings} disabled={busy} onChange={change} />

      <div class="actions">
        {busy ? (
          <button type="button" class="secondary" onClick={() => stop.current?.abort()} disabled={phase === 'sharing'}>
            Stop
          </button>
        ) : (
          <button type="button" onClick={start} disabled={photos.length === 0 || !session}>
            {result ? 'Start again' : 'Start the attack'}
          </button>
        )}
        <button type="button" class="outline" onClick={pause} disabled={phase !== 'running' && phase !== 'paused'}>
          {phase === 'paused' ? 'Go on' : 'Pause'}
        </button>
        <button type="button" class="outline" onClick={step} disabled={phase !== 'running' && phase !== 'paused'}>
          One step
        </button>
      </div>

      <div class="sides">
        <Device
          does="It sees the photo. It trains one step and shares the gradient."
          keeps={photos.length > 1 ? 'The photos' : 'The photo'}
          secret={
            <div class={`pictures many${photos.length}`}>
              {photos.map((pixels, i) => (
                <Picture key={i} side={SIDE} data={rgba(pixels)} label={`Photo ${i + 1}, as the network sees it`} />
              ))}
            </div>
          }
          picture={shared?.picture}
        >
          {shared
            ? `${count(shared.numbers)} numbers of norm ${shared.norm.toPrecision(3)}: blue below zero, orange above. `
            : 'Photos are shrunk to 32 × 32 pixels, because an attack takes seconds at this size.'}
          {shared?.defence && `Defence: ${shared.defence}.`}
        </Device>

        <article aria-labelledby="server" ref={serverSide}>
          <h2 id="server">The server</h2>
          <p>It sees the gradient and the network, and never the photo.</p>
          <div class={`pictures many${photos.length}`}>
            {photos.map((_, i) => (
              <Picture
                key={i}
                side={SIDE}
                data={rgba(latest?.pictures[i] ?? GRAY)}
                label={`Reconstruction of photo ${i + 1}${latest ? `, ${decibels(latest.psnr)}` : ', not begun'}`}
              />
            ))}
          </div>
          <p class="numbers" data-testid="numbers">
            {latest
              ? `${decibels(latest.psnr)} (${closeness(latest.psnr)}) · ${count(latest.evaluations)} evaluations · ${seconds(latest.milliseconds)}`
              : 'Not begun'}
          </p>
          <Chart reports={reports} />
          <div
            role="status"
            class={`verdict ${result ? toneOf(result.status) : ''}`}
            data-status={result?.status ?? phase}
          >
            {problem && <p>{problem}</p>}
            {result ? (
              <>
                <p>
                  <strong>{result.last ? STATUS_WORDS[result.status] : STOPPED_EARLY}</strong>
                </p>
                <p>
                  <small>
                    {sentence(result.reason)} {result.last && `Computed by ${result.runtime}.`}
                  </small>
                </p>
              </>
            ) : (
              !problem && <p>{PHASES[phase]}</p>
            )}
          </div>
        </article>
      </div>

      {found && (
        <section aria-labelledby="compare">
          <h2 id="compare">Before and after</h2>
          <div class="pair">
            <Compare before={photos[0]} after={found} />
            <div class="keep">
              <button
                type="button"
                class="outline"
                onClick={async () => save(await pngOf(found, SIDE, 8), 'reconstruction.png')}
              >
                Save PNG
              </button>
              <button type="button" class="outline" onClick={saveFilm} disabled={reports.length === 0}>
                Save GIF
              </button>
              <p>
                <small>
                  The address of this page holds every setting: copy it to share this state. Your own photo is not in
                  it.
                </small>
              </p>
            </div>
          </div>
        </section>
      )}
    </div>
  )
}

const GRAY = new Float32Array(SIDE * SIDE * 3).fill(0.5)

const PHASES: Readonly<Record<Phase, string>> = {
  ready: 'Press start: the server will try to get the photo back.',
  sharing: 'The device computes its gradient. The first time, the runtime is loaded too.',
  running: 'The server searches for a picture with the same gradient.',
  paused: 'Paused.',
  done: '',
}
