import { useEffect, useState } from 'preact/hooks'
import { BUILT_IN } from './photographs'

interface PickerProps {
  readonly photo: string
  readonly own: boolean
  readonly disabled: boolean
  onPick(photo: string): void
  onFile(file: Blob): void
}

const pictureIn = (items: DataTransfer | null): File | undefined =>
  [...(items?.files ?? [])].find(({ type }) => type.startsWith('image/'))

/** One of three photographs, or a file that is chosen, taken, dropped or pasted. */
export function PhotoPicker({ photo, own, disabled, onPick, onFile }: PickerProps) {
  const [over, setOver] = useState(false)
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const file = pictureIn(event.clipboardData)
      if (file && !disabled) onFile(file)
    }
    document.addEventListener('paste', paste)
    return () => document.removeEventListener('paste', paste)
  }, [disabled, onFile])
  return (
    <fieldset
      class={`picker ${over ? 'over' : ''}`}
      disabled={disabled}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        const file = pictureIn(event.dataTransfer)
        if (file && !disabled) onFile(file)
      }}
    >
      <legend>The photo</legend>
      {Object.entries(BUILT_IN).map(([name, { words, url }]) => (
        <label key={name} class="thumb">
          <input type="radio" name="photo" checked={!own && photo === name} onChange={() => onPick(name)} />
          <img src={url} alt={words} width="64" height="64" />
        </label>
      ))}
      <label class="file">
        <span>{own ? 'Your photo is in use. Another one:' : 'Or your own: choose, drop or paste'}</span>
        <input
          type="file"
          accept="image/*"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0]
            if (file) onFile(file)
          }}
        />
      </label>
    </fieldset>
  )
}
