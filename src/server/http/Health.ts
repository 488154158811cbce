import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { AppConfig } from "../config/AppConfig.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { makeHealthChecks } from "./HealthChecks.ts"
import type { HealthReport } from "./HealthReport.ts"
import { operator } from "./Operator.ts"
import { webRequest } from "./WebRequest.ts"

/** A setting as operators may see it: its value where it is text, a number or an address; of secrets and bindings that they are set. */
const told = (value: unknown): string => {
  if (value instanceof URL) return value.origin
  return typeof value === "string" || typeof value === "number" ? String(value) : "set"
}

/**
 * `/health`. Everybody learns that the server runs, and its version. Operators, who sign as for `/operator/explain`, learn
 * how each part does on which the server depends: always with 200, because a broken part is what they asked about.
 */
export const makeHealth = Effect.gen(function* () {
  const config = yield* AppConfig
  const { name, version } = yield* ServerInfo
  const checks = yield* makeHealthChecks
  const settings = Object.fromEntries(Object.entries(config).map(([setting, value]) => [setting, told(value)]))

  return () =>
    Effect.gen(function* () {
      const request = yield* webRequest
      if (!request.headers.has("authorization")) return HttpServerResponse.jsonUnsafe({ status: "ok", version })
      yield* operator(request)
      yield* Effect.logInfo("An operator looked at the health of the server")
      const found = yield* checks()
      const report: HealthReport = {
        status: found.some(([, { problem }]) => problem !== undefined && problem !== "not-set") ? "failing" : "ok",
        name,
        version,
        time: DateTime.formatIso(yield* DateTime.now),
        checks: Object.fromEntries(found),
        settings
      }
      return HttpServerResponse.jsonUnsafe(report)
    }).pipe(
      Effect.catchTag("NotExplained", ({ status, error, message }) =>
        Effect.succeed(
          HttpServerResponse.jsonUnsafe(
            { error, words: message },
            { status, headers: { "www-authenticate": "Bearer" } }
          )
        )
      )
    )
})
