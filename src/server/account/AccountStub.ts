import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { type AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import type { Counted, Limit } from "../capability/CallLimit.ts"
import type { Write, Written } from "../capability/UserStoreWrite.ts"
import { AppConfig } from "../config/AppConfig.ts"
import type { UserId } from "../domain/Principal.ts"
import type { AccountObject } from "./AccountObject.ts"
import { type Listen, ListenHeader, listenHeader, type Post, type Removal } from "./Session.ts"

/** The user's object did not answer: it is being replaced, has too much to do (`overloaded`), or broke. */
export class AccountUnavailable extends Schema.TaggedError<AccountUnavailable>()("AccountUnavailable", {
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
export interface AccountStub {
  readonly post: (post: Post) => Effect.Effect<Response, AccountUnavailable>
  readonly remove: (removal: Removal) => Effect.Effect<Response, AccountUnavailable>
  /** Acts on an event of this user: sessions and streams that it ends have been told to end once this returns. */
  readonly hear: (event: AccessEvent) => Effect.Effect<void, AccountUnavailable>
  /** The JSON of an entry of the user's store. */
  readonly readEntry: (name: string) => Effect.Effect<string | null, AccountUnavailable>
  /** Changes an entry of the user's store. Where it fails, it may have been changed all the same. */
  readonly writeEntry: (write: Write) => Effect.Effect<Written, AccountUnavailable>
  /** Counts a call of a tool. Where it fails, it may have been counted all the same. */
  readonly takeCall: (tool: string, limit: Limit) => Effect.Effect<Counted, AccountUnavailable>
  /** The call at this time does not count after all. */
  readonly giveBackCall: (tool: string, at: number) => Effect.Effect<void, AccountUnavailable>
  /** 101 with a socket and the session's id and version in its headers, or the answer for the client. */
  readonly listen: (listen: Listen) => Effect.Effect<Response, AccountUnavailable>
}

/** The platform says so on the error that a stub throws. */
const isOverloaded = Schema.is(Schema.Struct({ overloaded: Schema.Literal(true) }))

const encodeListen = Schema.encodeSync(ListenHeader)

/** Where the object of each user is reached. */
export class AccountStubs extends Context.Service<
  AccountStubs,
  { readonly forUser: (userId: UserId) => AccountStub }
>()("account/AccountStubs") {
  static readonly layer = Layer.effect(
    AccountStubs,
    Effect.map(AppConfig, ({ ACCOUNT_AGENT }) => {
      // The class behind the binding is named in wrangler.jsonc, out of the compiler's sight.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const namespace = ACCOUNT_AGENT as DurableObjectNamespace<AccountObject>
      const attempt = <A>(operation: string, call: () => Promise<A>) =>
        Effect.tryPromise({
          try: call,
          catch: (cause) => new AccountUnavailable({ operation, overloaded: isOverloaded(cause), cause })
        })
      return AccountStubs.of({
        forUser: (userId) => {
          const stub = namespace.getByName(userId)
          return {
            post: (post) => attempt("post", () => stub.post(post)),
            remove: (removal) => attempt("remove", () => stub.remove(removal)),
            hear: (event) => attempt(event._tag, () => stub.hear(event)),
            readEntry: (name) => attempt("readEntry", () => stub.readEntry(name)),
            writeEntry: (write) => attempt("writeEntry", async (): Promise<Written> => stub.writeEntry(write)),
            takeCall: (tool, limit) => attempt("takeCall", async (): Promise<Counted> => stub.takeCall(tool, limit)),
            giveBackCall: (tool, at) => attempt("giveBackCall", () => stub.giveBackCall(tool, at)),
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

/** How an event reaches the object of its user. An object that is being replaced by a new version is back in time. */
export const hearInAccount = Effect.map(
  AccountStubs,
  (accounts) => (event: AccessEvent) =>
    Effect.retry(
      Effect.suspend(() => accounts.forUser(event.userId).hear(event)),
      { schedule: backoff, times: 5 }
    )
)

/** The Worker's adapter of events. */
export const workerEvents = AccessEvents.heardBy(hearInAccount)
