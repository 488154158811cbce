import * as Effect from "effect/Effect"
import { createServer, request } from "node:http"

/**
 * The Worker's public address as long as the scope lives. Once `authorize` was called it adds the access token that the
 * suite cannot send, to what goes to `/mcp`. Everything else passes: Host and Origin as sent, streams as they come, and
 * a client that leaves is gone for the Worker too.
 */
export const startProxy = Effect.fnUntraced(function* (port: number, workerPort: number) {
  let authorization: string | undefined
  const server = createServer((incoming, outgoing) => {
    const { method, url: path = "/", headers } = incoming
    const added = authorization !== undefined && path.startsWith("/mcp") ? { authorization } : {}
    const onward = request(
      { hostname: "localhost", port: workerPort, method, path, headers: { ...added, ...headers } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        outgoing.flushHeaders()
        answer.pipe(outgoing)
        answer.on("error", () => outgoing.destroy())
      }
    )
    onward.on("error", () => outgoing.destroy())
    outgoing.on("close", () => onward.destroy())
    incoming.pipe(onward)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(port, "localhost", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  return {
    authorize: (token: string) =>
      Effect.sync(() => {
        authorization = `Bearer ${token}`
      })
  }
})
