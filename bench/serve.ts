import { createInterface } from 'node:readline'

// libraries chat on stdout, which belongs to the answers
console.log = console.info = console.error

// biome-ignore lint/suspicious/noExplicitAny: every request has fields of its own
type Handlers = Record<string, (request: any) => Promise<object>>

/** Answers requests, one JSON object a line on stdin, in order, with one line each on stdout. */
export async function serve(handlers: Handlers): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    let reply: object
    try {
      const handler = handlers[request.do]
      if (!handler) throw new Error(`cannot do '${request.do}'`)
      reply = await handler(request)
    } catch (error) {
      reply = { error: error instanceof Error ? error.message : String(error) }
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`)
  }
  process.exit(0)
}
