import type { DlgErrorCode } from '../errors/dlg-error'

/** A Web Worker, a MessagePort, or a worker's own global object. */
export interface WorkerEndpoint {
  /** Sends a message. */
  postMessage(message: unknown, transfer?: Transferable[]): void
  /** Listens to messages and errors. */
  addEventListener(type: string, listener: EventListenerOrEventListenerObject): void
  /** Listens no more. */
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject): void
  /** Lets messages through, where a port waits for this. */
  start?(): void
}

/** Functions by name, as a worker serves them. */
export interface Served {
  // biome-ignore lint/suspicious/noExplicitAny: any function, whatever it takes
  readonly [name: string]: (...args: any[]) => unknown
}

/** An error as it crosses between threads. */
export interface CrossedError {
  readonly code: DlgErrorCode | undefined
  readonly name: string
  readonly message: string
}

/** How a call ended. */
export type Answer = { readonly value: unknown } | { readonly error: CrossedError }

/** Calls a listener of the page: which one of the call, and with what. */
export type Tell = (listener: number, args: unknown) => unknown

/** What the worker answers to. */
export interface Protocol {
  /** @param call a number of the page's own, by which it can abort */
  call(call: number, name: string, args: unknown, tell: Tell): Promise<Answer>
  /** Aborts a signal of a call that is under way. */
  abort(call: number, signal: number): void
}
