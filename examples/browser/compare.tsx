import { useState } from 'preact/hooks'
import { SIDE } from './photographs'
import { Picture, rgba } from './picture'

interface CompareProps {
  readonly before: Float32Array
  readonly after: Float32Array
}

/** Two pictures, one over the other, with a slider that uncovers the second. */
export function Compare({ before, after }: CompareProps) {
  const [part, setPart] = useState(50)
  return (
    <figure class="compare">
      <div class="stack">
        <Picture side={SIDE} data={rgba(before)} label="The photo" />
        <div class="over" style={{ clipPath: `inset(0 0 0 ${part}%)` }}>
          <Picture side={SIDE} data={rgba(after)} label="The reconstruction" />
        </div>
        <div class="edge" style={{ left: `${part}%` }} />
      </div>
      <label>
        <span>Photo on the left, reconstruction on the right</span>
        <input
          type="range"
          min="0"
          max="100"
          value={part}
          aria-valuetext={`${part} % photo`}
          onInput={(event) => setPart(Number(event.currentTarget.value))}
        />
      </label>
    </figure>
  )
}
