import { CHOICES, type Settings } from './settings'

interface ControlsProps {
  readonly settings: Settings
  readonly disabled: boolean
  onChange(settings: Settings): void
}

const GROUPS = [
  { name: 'The device', fields: { network: 'Network', batch: 'Photos in a batch', steps: 'Local steps' } },
  {
    name: 'Its defence',
    fields: { noise: 'Noise σ', clip: 'Clipping', prune: 'Pruning', stored: 'Quantising' },
  },
] as const

/** One select for each setting, and a number for the seed. */
export function Controls({ settings, disabled, onChange }: ControlsProps) {
  const change = (name: keyof Settings, word: string): void => {
    const value = typeof settings[name] === 'number' ? Number(word) : word
    onChange({ ...settings, [name]: value })
  }
  return (
    <form class="controls" onSubmit={(event) => event.preventDefault()}>
      {GROUPS.map((group) => (
        <fieldset key={group.name} disabled={disabled}>
          <legend>{group.name}</legend>
          {Object.entries(group.fields).map(([field, words]) => {
            const name = field as keyof typeof CHOICES
            const choices = Object.entries(CHOICES[name]).sort(([a], [b]) => Number(a) - Number(b))
            return (
              <label key={name}>
                {words}
                <select
                  name={name}
                  value={String(settings[name])}
                  onChange={(e) => change(name, e.currentTarget.value)}
                >
                  {choices.map(([value, label]) => (
                    <option key={value} value={value}>
                      {label}
                    </option>
                  ))}
                </select>
              </label>
            )
          })}
          {group.name === 'The device' && (
            <label>
              Seed
              <input
                name="seed"
                type="number"
                min="0"
                max="9999"
                value={settings.seed}
                onChange={(e) => change('seed', String(Math.abs(Math.round(Number(e.currentTarget.value))) || 0))}
              />
            </label>
          )}
        </fieldset>
      ))}
    </form>
  )
}
