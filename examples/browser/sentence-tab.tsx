import { useEffect, useRef, useState } from 'preact/hooks'
import { Device } from './device'
import type { TabProps } from './page'
import type { SentenceReport, SentenceResult, SharedSentence } from './sentence'
import { count, STOPPED_EARLY, seconds } from './words'

type Phase = 'ready' | 'sharing' | 'running' | 'done'

const PHASES: Readonly<Record<Phase, string>> = {
  ready: 'Press start: the server will try to get the sentence back.',
  sharing: 'The device computes its gradient. The first time, the runtime is loaded too.',
  running: 'The server searches for a sentence with the same gradient.',
  done: '',
}

/** The device shares the gradient of a sentence through a small encoder, and the server reads it. */
export function SentenceTab({ settings, session, onChange }: TabProps) {
  const [phase, setPhase] = useState<Phase>('ready')
  const [shared, setShared] = useState<SharedSentence>()
  const [report, setReport] = useState<SentenceReport>()
  const [result, setResult] = useState<SentenceResult>()
  const [problem, setProblem] = useState<string>()
  const stop = useRef<AbortController>(undefined)
  useEffect(() => () => stop.current?.abort(), [])

  const clear = (): void => {
    setShared(undefined)
    setReport(undefined)
    setResult(undefined)
    setProblem(undefined)
    setPhase('ready')
  }
  const start = async (): Promise<void> => {
    clear()
    setPhase('sharing')
    try {
      const far = await session!
      await far.resume()
      setShared(await far.shareSentence(settings.text, settings.seed))
      setPhase('running')
      stop.current = new AbortController()
      setResult(await far.leakSentence({ seed: settings.seed, onReport: setReport, signal: stop.current.signal }))
      setPhase('done')
    } catch (error) {
      const stopped = stop.current?.signal.aborted ? STOPPED_EARLY : undefined
      setProblem(stopped ?? (error instanceof Error ? error.message : String(error)))
      setPhase('ready')
    }
  }

  const busy = phase === 'sharing' || phase === 'running'
  const latest = result ?? report
  return (
    <div>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          start()
        }}
      >
        <label>
          The sentence
          <input
            name="text"
            type="text"
            maxLength={120}
            value={settings.text}
            disabled={busy}
            onInput={(event) => {
              clear()
              onChange({ ...settings, text: event.currentTarget.value })
            }}
          />
        </label>
        <div class="actions">
          {busy ? (
            <button
              type="button"
              class="secondary"
              disabled={phase === 'sharing'}
              onClick={() => stop.current?.abort()}
            >
              Stop
            </button>
          ) : (
            <button type="submit" disabled={!session || settings.text.trim() === ''}>
              {result ? 'Start again' : 'Start the attack'}
            </button>
          )}
        </div>
      </form>
      <div class="sides">
        <Device
          does="It trains a small encoder (BERT with random weights) on the sentence, and shares the gradient."
          keeps="The sentence in pieces"
          secret={
            <ol class="pieces">
              {shared?.pieces.map((piece, i) => (
                <li key={i}>{piece}</li>
              ))}
            </ol>
          }
          picture={shared?.picture}
        >
          {shared && `${count(shared.numbers)} numbers. `}The gradient of the word table is kept back: it would name the
          words by itself.
        </Device>
        <article aria-labelledby="server">
          <h2 id="server">The server</h2>
          <p>It sees the gradient and the encoder, and never the sentence.</p>
          <ol class="pieces" data-testid="pieces">
            {latest?.pieces.map(({ text, right, similarity }, i) => (
              <li key={i} class={right ? 'right' : 'wrong'} title={`similarity ${similarity.toFixed(2)}`}>
                {text}
              </li>
            ))}
          </ol>
          <p class="numbers" data-testid="numbers">
            {latest
              ? `${latest.pieces.filter(({ right }) => right).length} of ${latest.pieces.length} pieces right · ${count(latest.evaluations)} evaluations · ${seconds(latest.milliseconds)} · relative loss ${latest.relativeLoss.toExponential(1)}`
              : 'Not begun'}
          </p>
          <div role="status" class={`verdict ${result?.exact ? 'bad' : ''}`} data-status={result?.status ?? phase}>
            {problem && <p>{problem}</p>}
            {result ? (
              <>
                <p>
                  <strong>
                    {result.exact
                      ? 'Leaked: exactly this sentence has the shared gradient.'
                      : result.status === 'aborted'
                        ? 'Stopped. This is the best it had found so far.'
                        : 'This search failed. That is no proof of safety: another search may succeed.'}
                  </strong>
                </p>
                <p>
                  <small>Computed by {result.runtime}.</small>
                </p>
              </>
            ) : (
              !problem && <p>{PHASES[phase]}</p>
            )}
          </div>
        </article>
      </div>
    </div>
  )
}
