import type { Runtime } from 'dlg-ts'

/** Lets evaluations through, or holds them. */
export interface Gate {
  pause(): void
  /** Lets everything through. */
  open(): void
  /** Resolves when the next evaluation may begin. */
  passed(): Promise<void>
}

export function gate(): Gate {
  let opened = Promise.resolve()
  let open = (): void => {}
  return {
    pause() {
      open()
      opened = new Promise((resolve) => {
        open = resolve
      })
    },
    open: () => open(),
    passed: () => opened,
  }
}

/** A runtime whose evaluations wait at a gate. */
export const pausable = (runtime: Runtime, { passed }: Gate): Runtime => ({
  ...runtime,
  async compile(program) {
    const executable = await runtime.compile(program)
    return {
      ...executable,
      async bind(...given) {
        const evaluator = await executable.bind(...given)
        return {
          ...evaluator,
          async run(inputs) {
            await passed()
            return evaluator.run(inputs)
          },
        }
      },
    }
  },
})
