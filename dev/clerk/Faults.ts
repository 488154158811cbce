import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { clerkErrors } from "./ClerkErrorBody.ts"

/** A failure that the next matching requests meet instead of (or, for a delay, before) their answer. */
export const Fault = Schema.Struct({
  /** Matches requests whose path starts so, e.g. `/v1/users`. */
  path: Schema.String,
  /** Matches this method only, upper case. */
  method: Schema.optionalKey(Schema.String),
  /** How many requests it applies to; 1 when absent. */
  times: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))),
  effect: Schema.Union([
    Schema.Struct({ kind: Schema.Literal("rate_limited"), retryAfterSeconds: Schema.Int }),
    Schema.Struct({ kind: Schema.Literal("server_error") }),
    /** As an instance answers where a feature is off, or the secret key may not. */
    Schema.Struct({ kind: Schema.Literal("refused"), status: Schema.Int, code: Schema.String }),
    Schema.Struct({ kind: Schema.Literal("delay"), millis: Schema.Int }),
    /** Status 200 and `application/json`, with a body that stops half way. */
    Schema.Struct({ kind: Schema.Literal("malformed_json") })
  ])
})
export type Fault = typeof Fault.Type

/** A request that the stand-in has met; hooks and the developer's page are not recorded, and neither is a query string. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
}

export class Faults extends Context.Service<
  Faults,
  {
    readonly add: (fault: Fault) => Effect.Effect<void>
    /** Records the request and answers the fault it meets, if any. A fault is used up by answering it. */
    readonly meet: (request: SeenRequest) => Effect.Effect<Fault["effect"] | undefined>
    readonly seen: Effect.Effect<ReadonlyArray<SeenRequest>>
    readonly forgetRequests: Effect.Effect<void>
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/Faults") {
  static readonly layer = Layer.sync(Faults, () => {
    let pending: Array<{ readonly fault: Fault; left: number }> = []
    let seen: Array<SeenRequest> = []
    return Faults.of({
      add: (fault) => Effect.sync(() => void pending.push({ fault, left: fault.times ?? 1 })),
      meet: (request) =>
        Effect.sync(() => {
          seen.push(request)
          const match = pending.find(
            ({ fault }) =>
              request.path.startsWith(fault.path) && (fault.method === undefined || fault.method === request.method)
          )
          if (match === undefined) return undefined
          match.left -= 1
          pending = pending.filter((one) => one.left > 0)
          return match.fault.effect
        }),
      seen: Effect.sync(() => Array.from(seen)),
      forgetRequests: Effect.sync(() => void (seen = [])),
      reset: Effect.sync(() => {
        pending = []
        seen = []
      })
    })
  })
}

const pathOf = (url: string): string => url.split("?", 1)[0] ?? url

/** Lets every request outside the hooks and the developer's page meet its fault first. */
export const faultsMiddleware = HttpRouter.middleware(
  Effect.map(
    Faults,
    (faults) => (app) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const path = pathOf(request.url)
        if (path === "/" || path.startsWith("/_stand-in/")) return yield* app
        const fault = yield* faults.meet({ method: request.method, path })
        switch (fault?.kind) {
          case undefined:
            return yield* app
          case "delay":
            // Global middleware runs uninterruptibly; a held request still has to end with its connection.
            yield* Effect.interruptible(Effect.sleep(fault.millis))
            return yield* app
          case "rate_limited":
            return clerkErrors(
              429,
              [
                {
                  message: "Too many requests. Please try again in a bit.",
                  longMessage: "Too many requests. Please try again in a bit.",
                  code: "too_many_requests"
                }
              ],
              { "retry-after": String(fault.retryAfterSeconds) }
            )
          case "server_error":
            return clerkErrors(500, [
              {
                message: "Oops, an unexpected error occurred",
                longMessage: "There was an internal error on our servers.",
                code: "internal_clerk_error"
              }
            ])
          case "refused":
            return clerkErrors(fault.status, [{ message: "refused", longMessage: "Refused.", code: fault.code }])
          case "malformed_json":
            return HttpServerResponse.text('{"id":"user_', { contentType: "application/json" })
        }
      })
  ),
  { global: true }
)
