import type { InferenceSession } from 'onnxruntime-common'
import type { OnnxRuntimeModule } from './portable'

let last: Promise<unknown> = Promise.resolve()

/** Begins when everything before has ended, however it ended. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work)
  last = result.catch(() => {})
  return result
}

/**
 * onnxruntime-web with one call at a time: a build that waits for a GPU keeps one stack for all sessions, and a second call in the
 * meantime would overwrite it.
 */
export const takingTurns = (ort: OnnxRuntimeModule): OnnxRuntimeModule => ({
  Tensor: ort.Tensor,
  InferenceSession: {
    async create(model, options) {
      const session = await inTurn(() => ort.InferenceSession.create(model, options))
      const { run, release }: Pick<InferenceSession, 'run' | 'release'> = {
        run: (feeds: InferenceSession.FeedsType) => inTurn(() => session.run(feeds)),
        release: () => inTurn(() => session.release()),
      }
      return { run, release } as InferenceSession
    },
  },
})
