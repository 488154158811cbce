import * as Effect from "effect/Effect"
import { once } from "node:events"
import { createServer } from "node:http"

/** An app on the person's machine that waits for its code. */
export interface LoopbackApp {
  readonly redirectUri: string
  /** Every address that a browser was sent back to, oldest first. */
  readonly arrivals: ReadonlyArray<URL>
}

/** Listens on a free loopback port as long as the scope lives (RFC 8252, section 7.3). */
export const loopbackApp = Effect.gen(function* () {
  const arrivals: Array<URL> = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`)
    if (url.pathname === "/callback") arrivals.push(url)
    response.setHeader("content-type", "text/html; charset=utf-8")
    response.end("<!doctype html><title>Back in the app</title><p>Back in the app</p>")
  })
  yield* Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" ? address?.port : undefined
  return { redirectUri: `http://127.0.0.1:${port}/callback`, arrivals } satisfies LoopbackApp
})
