import { useEffect, useState } from 'preact/hooks'
import { PhotoTab } from './photo-tab'
import { SentenceTab } from './sentence-tab'
import { startSession } from './session'
import { addressOf, type Settings, settingsOf } from './settings'

/** What a tab is given. */
export interface TabProps {
  readonly settings: Settings
  /** The functions of the worker; undefined until the page is painted. */
  readonly session: ReturnType<typeof startSession> | undefined
  onChange(settings: Settings): void
}

const TABS = { photo: 'A photo', sentence: 'A sentence' } as const
const NAMES = Object.keys(TABS) as Settings['tab'][]

export function Page() {
  const [settings, setSettings] = useState(() => settingsOf(location.search))
  const [session, setSession] = useState<TabProps['session']>()
  useEffect(() => {
    // the runtime is large: it comes after the first paint
    requestAnimationFrame(() => setTimeout(() => setSession(startSession())))
  }, [])
  const change = (next: Settings): void => {
    setSettings(next)
    history.replaceState(null, '', location.pathname + addressOf(next))
  }
  const turn = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    const next = NAMES[1 - NAMES.indexOf(settings.tab)]
    change({ ...settings, tab: next })
    document.getElementById(`tab-${next}`)?.focus()
  }
  const Tab = settings.tab === 'photo' ? PhotoTab : SentenceTab
  return (
    <main class="container">
      <header>
        <h1>What a gradient gives away</h1>
        <p>
          In federated learning your data stay on your device, and only the <em>gradient</em> of a training step is
          sent. This page shows what a server can read from it.{' '}
          <strong>Nothing leaves this device: data, gradient and attack are all computed here.</strong>
        </p>
      </header>
      <div role="tablist" class="tabs" aria-label="What the device has">
        {NAMES.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={settings.tab === name}
            aria-controls="panel"
            tabIndex={settings.tab === name ? 0 : -1}
            onClick={() => change({ ...settings, tab: name })}
            onKeyDown={turn}
          >
            {TABS[name]}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="panel" aria-labelledby={`tab-${settings.tab}`}>
        <Tab settings={settings} session={session} onChange={change} />
      </div>
      <footer>
        <small>
          The method is Deep Leakage from Gradients (Zhu, Liu and Han 2019). A failed search is no proof that a gradient
          is safe. Use it on your own data. The three photographs are CC0, from @stdlib.
        </small>
      </footer>
    </main>
  )
}
