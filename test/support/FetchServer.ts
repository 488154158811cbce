import * as Effect from "effect/Effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { text } from "node:stream/consumers"

import type { Handler } from "../../src/server/testing/Visitor.ts"

const answer = async (origin: string, handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse) => {
  const method = incoming.method ?? "GET"
  const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)])
  const body = method === "GET" || method === "HEAD" ? null : await text(incoming)
  const response = await handler(new Request(new URL(incoming.url ?? "/", origin), { method, headers, body }))
  // `Response.error()` is an answer that gets lost on the way.
  if (response.type === "error") {
    outgoing.destroy()
    return
  }
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value)
  outgoing.end(await response.text())
}

/** Serves a Fetch handler on 127.0.0.1 as long as the scope lives. Answers its origin. */
export const serve = (port: number, handler: Handler) => {
  const origin = `http://127.0.0.1:${port}`
  return Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((incoming, outgoing) => {
        answer(origin, handler, incoming, outgoing).catch((cause: unknown) => {
          outgoing.statusCode = 500
          outgoing.end(String(cause))
        })
      })
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ).pipe(Effect.as(origin))
}
