import { EXIT } from './command'
import { run } from './main'

/**
 * Runs a command line as this process: its streams, its exit code, and Ctrl-C.
 *
 * The first Ctrl-C ends the attack with the best so far, the second the process. Files are put in place in one go in
 * which no signal is served, so there is never half of them.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const controller = new AbortController()
  let received: number | undefined
  const on = (signal: NodeJS.Signals, code: number) =>
    process.on(signal, () => {
      if (received !== undefined) process.exit(code)
      received = code
      controller.abort()
      process.stderr.write('\ndlg: stopping with the best so far; Ctrl-C again quits at once\n')
    })
  on('SIGINT', EXIT.interrupted)
  on('SIGTERM', 143)
  let unwritten: Error | undefined
  // the reader of a pipe has left: what is to be kept goes to files, so the work goes on
  const closed = (error: NodeJS.ErrnoException) => error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED'
  process.stdout.on('error', (error) => {
    if (closed(error) || unwritten) return
    unwritten = error
    process.stderr.write(`dlg: standard output cannot be written: ${error.message}\n`)
    process.exitCode = EXIT.output
  })
  // nobody is left to be told
  process.stderr.on('error', () => {})
  const { stdout, stderr, env } = process
  const code = await run(argv, { stdout, stderr, env, signal: controller.signal })
  process.exitCode = unwritten ? EXIT.output : code === EXIT.interrupted ? (received ?? code) : code
}
