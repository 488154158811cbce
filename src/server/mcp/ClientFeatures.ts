import type { ServerContext } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"

import { ClientLog, type Entry } from "../capability/ClientLog.ts"
import { Progress, type Report } from "../capability/Progress.ts"

/** Tells a client something along the way. One that has stopped listening does not fail the program. */
const heard = (tell: () => Promise<void>) => Effect.ignore(Effect.tryPromise(tell))

/** Progress is told to clients that asked for it (MCP, progress). */
const reporter = ({ mcpReq }: ServerContext) => {
  const progressToken = mcpReq._meta?.progressToken
  return (report: Report) =>
    progressToken === undefined
      ? Effect.void
      : heard(() => mcpReq.notify({ method: "notifications/progress", params: { progressToken, ...report } }))
}

/** The SDK knows the level: of the request (2026-07-28), or as the client set it for its session (2025-era). */
const logger =
  ({ mcpReq }: ServerContext) =>
  ({ level, data, logger }: Entry) =>
    // oxlint-disable-next-line typescript/no-deprecated -- served as long as the protocol has it (SEP-2577)
    heard(() => mcpReq.log(level, data, logger))

/** Lets a program tell the client of this request how it goes. */
export const telling =
  (ctx: ServerContext) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    program.pipe(Effect.provideService(Progress, reporter(ctx)), Effect.provideService(ClientLog, logger(ctx)))
