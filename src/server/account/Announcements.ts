import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { KeepAlive } from "../config/KeepAlive.ts"
import type { UserId } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import { type AccountStub, AccountStubs, type AccountUnavailable, backoff } from "./AccountStub.ts"

/** How the object of a user is told of something that it does not have to answer. */
export class Announcements extends Context.Service<
  Announcements,
  {
    /**
     * Goes on after the request that it began in, and tries for a while. If it fails, `failed` stands in the log, and
     * nobody else hears of it.
     */
    readonly tell: (
      userId: UserId,
      failed: string,
      announce: (account: AccountStub) => Effect.Effect<void, AccountUnavailable>
    ) => Effect.Effect<void>
  }
>()("account/Announcements") {
  static readonly layer = Layer.effect(
    Announcements,
    Effect.gen(function* () {
      const accounts = yield* AccountStubs
      const keepAlive = yield* KeepAlive
      const run = Effect.runPromiseWith(yield* Effect.context())
      return Announcements.of({
        tell: (userId, failed, announce) => {
          const told = Effect.suspend(() => announce(accounts.forUser(userId))).pipe(
            // An object that is being replaced by a new version is back by then.
            Effect.retry({ schedule: backoff, times: 5 }),
            Effect.catchTag("AccountUnavailable", (failure) => Incident.note(failed, failure))
          )
          return Effect.sync(() => keepAlive(run(told)))
        }
      })
    })
  )
}
