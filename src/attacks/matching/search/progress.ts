/** Whole numbers that the restarts of an attack share. */
const CELLS = ['evaluations', 'end', 'cancelled'] as const

/** What the restarts of one attack share: the clock, the work done, and whether it is still wanted. */
export interface Progress {
  /** When the attack began, in milliseconds since 1970. */
  readonly started: number
  /** Where it is kept: a SharedArrayBuffer where restarts run on several threads. */
  readonly memory: ArrayBufferLike
  /** Evaluations of all restarts. */
  readonly evaluations: number
  /** Counts one evaluation. */
  count(): void
  /** Milliseconds since the attack began. */
  milliseconds(): number
  /** Restarts from this one on are not wanted. */
  end: number
  /** Whether the caller wants no more of any restart. */
  cancelled: boolean
}

/** Now, in milliseconds since 1970: what clocks of several threads agree on. */
const now = (): number => performance.timeOrigin + performance.now()

/** The progress of an attack of `restarts` restarts, which begins now. */
export function newProgress(restarts: number): Progress {
  const bytes = CELLS.length * Int32Array.BYTES_PER_ELEMENT
  const memory = typeof SharedArrayBuffer === 'function' ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
  const progress = progressIn({ started: now(), memory })
  progress.end = restarts
  return progress
}

/** The progress, as another thread sees it. */
export function progressIn({ started, memory }: Pick<Progress, 'started' | 'memory'>): Progress {
  const cells = new Int32Array(memory)
  const [evaluations, end, cancelled] = CELLS.keys()
  return {
    started,
    memory,
    get evaluations() {
      return Atomics.load(cells, evaluations)
    },
    count: () => void Atomics.add(cells, evaluations, 1),
    milliseconds: () => now() - started,
    get end() {
      return Atomics.load(cells, end)
    },
    set end(restart) {
      Atomics.store(cells, end, restart)
    },
    get cancelled() {
      return Atomics.load(cells, cancelled) === 1
    },
    set cancelled(value) {
      Atomics.store(cells, cancelled, value ? 1 : 0)
    },
  }
}
