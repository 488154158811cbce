import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import type { GrantId, UserId } from "../domain/Identity.ts"
import type { AccountObject } from "./AccountAgent.ts"
import { type Listen, ListenHeader, listenHeader, type Post, type Removal } from "./Session.ts"

/** The user's object did not answer: it is being replaced, has too much to do (`overloaded`), or broke. */
export class AgentUnavailable extends Schema.TaggedError<AgentUnavailable>()("AgentUnavailable", {
  operation: Schema.String,
  overloaded: Schema.Boolean,
  cause: Schema.Unknown
}) {}

const leaveAlone = Duration.seconds(5)

/**
 * How long to wait before an object is asked again: longer each time, and not the same for all who wait. One that has too
 * much to do is left alone for a while (Cloudflare, Durable Objects, error handling).
 */
export const backoff = Schedule.exponential("200 millis", 1.6).pipe(
  Schedule.setInputType<{ readonly overloaded: boolean }>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(input.overloaded ? Duration.max(duration, leaveAlone) : duration)
  ),
  Schedule.jittered
)

/** The object of one user, as the Worker sees it. */
export interface AccountAgent {
  readonly post: (post: Post) => Effect.Effect<Response, AgentUnavailable>
  readonly remove: (removal: Removal) => Effect.Effect<Response, AgentUnavailable>
  /** Tells those who follow changes that what the user may use has changed. */
  readonly tellFollowers: Effect.Effect<void, AgentUnavailable>
  /** Ends the sessions of revoked grants, and their streams. */
  readonly endGrants: (grants: ReadonlyArray<GrantId>) => Effect.Effect<void, AgentUnavailable>
  /** Ends all sessions of the user, and all streams. */
  readonly endAll: Effect.Effect<void, AgentUnavailable>
  /** 101 with a socket and the session's id and version in its headers, or the answer for the client. */
  readonly listen: (listen: Listen) => Effect.Effect<Response, AgentUnavailable>
}

/** The platform says so on the error that a stub throws. */
const isOverloaded = Schema.is(Schema.Struct({ overloaded: Schema.Literal(true) }))

const encodeListen = Schema.encodeSync(ListenHeader)

/** Where the object of each user is reached. */
export class AccountAgents extends Context.Service<
  AccountAgents,
  { readonly forUser: (userId: UserId) => AccountAgent }
>()("agent/AccountAgents") {
  static readonly layer = Layer.effect(
    AccountAgents,
    Effect.map(AppConfig, ({ ACCOUNT_AGENT }) => {
      // The class behind the binding is named in wrangler.jsonc, out of the compiler's sight.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const namespace = ACCOUNT_AGENT as DurableObjectNamespace<AccountObject>
      const attempt = <A>(operation: string, call: () => Promise<A>) =>
        Effect.tryPromise({
          try: call,
          catch: (cause) => new AgentUnavailable({ operation, overloaded: isOverloaded(cause), cause })
        })
      return AccountAgents.of({
        forUser: (userId) => {
          const stub = namespace.getByName(userId)
          return {
            post: (post) => attempt("post", () => stub.post(post)),
            remove: (removal) => attempt("remove", () => stub.remove(removal)),
            tellFollowers: attempt("tellFollowers", () => stub.tellFollowers()),
            endGrants: (grants) => attempt("endGrants", () => stub.endGrants(grants)),
            endAll: attempt("endAll", () => stub.endAll()),
            listen: (listen) =>
              attempt("listen", () =>
                stub.fetch("https://account-agent.invalid/", {
                  headers: { upgrade: "websocket", [listenHeader]: encodeURIComponent(encodeListen(listen)) }
                })
              )
          }
        }
      })
    })
  )
}
