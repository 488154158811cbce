import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Access, AccessError, AccessUnknown, AccountClosed } from "../access/Access.ts"
import { UserId } from "../domain/Principal.ts"
import { GrantStorage, type KeyValues } from "../oauth/OAuthStorage.ts"
import { UserAuthorities } from "../oauth/UserAuthorities.ts"
import { expiryOf } from "./GrantRecords.ts"

const unreached = { retryAfterSeconds: 1, passes: true }

/** In the Worker, for sign-ins: what is known of a user is what the user's object knows. */
export const access = Layer.effect(
  Access,
  Effect.map(UserAuthorities, (authorities) =>
    Access.of({
      current: Effect.fnUntraced(function* (userId) {
        const standing = yield* Effect.catchTag(authorities.of(userId).standing, "StorageUnavailable", () =>
          Effect.succeed({ _tag: "Unknown", ...unreached } as const)
        )
        if (standing._tag === "Unknown") {
          const { retryAfterSeconds, passes } = standing
          return yield* new AccessError({ reason: new AccessUnknown({ retryAfterSeconds, passes }) })
        }
        const { snapshot, deleted } = standing.said
        return snapshot ?? (yield* new AccessError({ reason: new AccountClosed({ deleted }) }))
      })
    })
  )
)

const elsewhere = () => Promise.reject(new TypeError("grants are changed in the object of their user"))

/** In the Worker, where grants are made: each goes to the object of its user. What names no user finds none. */
export const grantStorage = Layer.effect(
  GrantStorage,
  Effect.gen(function* () {
    const authorities = yield* UserAuthorities
    const clock = yield* Clock.Clock
    const run = Effect.runPromiseWith(yield* Effect.context())
    const put = (key: string, value: unknown, options: KVNamespacePutOptions = {}) => {
      const userId = UserId.make(key.split(":")[1] ?? "")
      const expiresAt = expiryOf(options, clock.currentTimeMillisUnsafe())
      return run(authorities.of(userId).keep(key, String(value), expiresAt))
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- finds nothing, whichever overload is asked
    const get = (() => Promise.resolve(null)) as unknown as KeyValues["get"]
    return GrantStorage.of({ get, put, delete: elsewhere, list: elsewhere })
  })
)
