import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import type { UserId } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"

/** Too many requests came from one address, or of one user. After `seconds` the next one is let through. */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", { seconds: Schema.Int }) {}

/**
 * The longest period that a rate limit of Cloudflare's can have, in seconds; the other one is 10. A binding tells neither
 * its period nor when it ends, but after this long any period is over.
 */
const longestPeriod = 60

/** What is limited by address, and the binding that counts it. A name is part of the key: each counts for itself. */
const bindings = {
  register: "RATE_LIMIT_REGISTER",
  authorize: "RATE_LIMIT_AUTHORIZE",
  callback: "RATE_LIMIT_AUTHORIZE",
  account: "RATE_LIMIT_AUTHORIZE",
  token: "RATE_LIMIT_TOKEN",
  bearer: "RATE_LIMIT_TOKEN",
  webhook: "RATE_LIMIT_WEBHOOK",
  user: "RATE_LIMIT_USER"
} as const

/** What is limited by address. */
export type Limited = Exclude<keyof typeof bindings, "user">

/**
 * Whom a request counts for: the address that Cloudflare saw, which no client can choose. Of an IPv6 address it is the
 * network, its first 64 bits, because one subscriber has all addresses in it (RFC 6177). All requests without an address,
 * which are none that came through Cloudflare, count together.
 */
export const addressOf = ({ headers }: Request): string => {
  const address = headers.get("cf-connecting-ip")?.trim().toLowerCase() ?? ""
  if (!address.includes(":") || address.includes(".")) return address === "" ? "unknown" : address
  const [head = "", tail] = address.split("::")
  const [first, last] = [head, tail ?? ""].map((groups) => groups.split(":").filter((group) => group !== ""))
  const omitted = tail === undefined ? 0 : 8 - (first?.length ?? 0) - (last?.length ?? 0)
  const groups = [...(first ?? []), ...Array.from({ length: Math.max(omitted, 0) }, () => "0"), ...(last ?? [])]
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/u, ""))
  return `${network.join(":")}::/64`
}

/** How many lines a minute and an isolate tell of refused requests: anybody can cause them. */
const mostRefusals = 10

/**
 * Limits on how many requests come from one address and of one user, as Cloudflare's rate limit bindings count them: for
 * each location of Cloudflare's by itself, and approximately. Each address and each user has a count of its own.
 *
 * A limit without its binding lets everything through, and so does one whose binding fails: a limit protects the server
 * from floods, and an outage of the counter is not to become one of the server. Both are logged once in an isolate.
 */
export class RateLimits extends Context.Service<
  RateLimits,
  {
    /** Counts a request for its address. */
    readonly ofAddress: (limited: Limited, request: Request) => Effect.Effect<void, RateLimited>
    /** Counts a request of `/mcp` or `/sse` for the user whose token it carries. */
    readonly ofUser: (userId: UserId) => Effect.Effect<void, RateLimited>
  }
>()("access/RateLimits") {
  static readonly layer = Layer.effect(
    RateLimits,
    Effect.map(AppConfig, (config) => {
      // All Workers of an account that name one namespace share its counts; this server's are under its own host.
      const { host } = config.PUBLIC_URL
      const bounded = Log.bounded(mostRefusals)
      const missing = [...new Set(Object.values(bindings))].filter((name) => config[name] === undefined)
      const tellMissing = Log.once(
        `rate limits ${missing.join()}`,
        Effect.annotateLogs(Effect.logInfo("Some requests have no rate limit"), { missing })
      )

      const failed = (binding: string, failure: Cause.UnknownError | Cause.TimeoutError) =>
        Log.once(
          `rate limit ${binding} fails`,
          Incident.note("A rate limit does not answer, and lets everything through", failure).pipe(
            Effect.annotateLogs({ binding }),
            Effect.asVoid
          )
        )

      const count = Effect.fnUntraced(function* (limited: keyof typeof bindings, key: string) {
        const name = bindings[limited]
        const binding = config[name]
        if (missing.length > 0) yield* tellMissing
        if (binding === undefined) return
        const { success } = yield* Effect.tryPromise(() => binding.limit({ key: `${limited} ${host} ${key}` })).pipe(
          Effect.timeout("1 second"),
          Effect.catch((failure) => Effect.as(failed(name, failure), { success: true }))
        )
        if (success) return
        yield* bounded(
          Effect.logWarning("Requests are refused: too many").pipe(
            Effect.annotateLogs({ limit: name, of: limited, ...(limited === "user" && { userId: key }) })
          )
        )
        return yield* new RateLimited({ seconds: longestPeriod })
      })

      return RateLimits.of({
        ofAddress: (limited, request) => count(limited, addressOf(request)),
        ofUser: (userId) => count("user", userId)
      })
    })
  )
}
