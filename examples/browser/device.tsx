import type { ComponentChildren } from 'preact'
import { Picture } from './picture'
import type { SquarePicture } from './signed-picture'

interface DeviceProps {
  /** What it does, in a sentence. */
  readonly does: string
  /** Heading of what it keeps to itself. */
  readonly keeps: string
  readonly secret: ComponentChildren
  /** The gradient as a picture, once it was shared. */
  readonly picture: SquarePicture | undefined
  /** What there is to say of the gradient. */
  readonly children: ComponentChildren
}

/** The side that trains: its data, and what it shares of them. */
export function Device({ does, keeps, secret, picture, children }: DeviceProps) {
  return (
    <article aria-labelledby="device">
      <h2 id="device">Your device</h2>
      <p>{does}</p>
      <div class="pair">
        <div>
          <h3>{keeps}</h3>
          {secret}
        </div>
        <div>
          <h3>What it shares</h3>
          {picture ? (
            <Picture {...picture} label="The gradient as a picture, which looks like noise" />
          ) : (
            <p class="empty">The gradient appears here</p>
          )}
        </div>
      </div>
      <p>{children}</p>
    </article>
  )
}
