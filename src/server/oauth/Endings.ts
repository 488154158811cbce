import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { Lru } from "../access/Lru.ts"
import { GrantId, UserId } from "../domain/Principal.ts"
import { GrantsEnded } from "./GrantsEnded.ts"
import { OAuthStorage } from "./OAuthStorage.ts"

const decodeGrant = Schema.decodeUnknownOption(Schema.Struct({ userId: UserId, grantId: GrantId }))

/** The grant that the library keeps under a key, which it writes as `grant:user:grant`. */
const grantAt = (key: string) => {
  const [kind, userId, grantId] = key.split(":")
  return kind === "grant" ? decodeGrant({ userId, grantId }) : Option.none()
}

/**
 * The library ends a grant by deleting it: on revocation (RFC 7009), when a code is used twice, at a refresh for a
 * closed account, and on the server's own word. What it is not convinced by, it deletes nothing for.
 */
const storage = Layer.effect(
  OAuthStorage,
  Effect.gen(function* () {
    const kv = yield* OAuthStorage
    const ended = yield* GrantsEnded
    const run = Effect.runSyncWith(yield* Effect.context())
    return OAuthStorage.of({
      get: kv.get.bind(kv),
      put: kv.put.bind(kv),
      list: kv.list.bind(kv),
      delete: async (key) => {
        await kv.delete(key)
        const grant = grantAt(key)
        if (Option.isSome(grant)) run(ended.one(grant.value.userId, grant.value.grantId))
      }
    })
  })
)

/** An account that is found banned, or deleted, is told of once, until it is found open again, or was forgotten. */
const access = Layer.effect(
  Access,
  Effect.gen(function* () {
    const { current } = yield* Access
    const ended = yield* GrantsEnded
    const closed = new Lru<UserId, boolean>()
    const close = Effect.fnUntraced(function* (userId: UserId, deleted: boolean) {
      if (closed.get(userId) === deleted) return
      closed.set(userId, deleted)
      yield* ended.all(userId, deleted)
    })
    return Access.of({
      current: (userId) =>
        current(userId).pipe(
          Effect.tap(() => Effect.sync(() => closed.delete(userId))),
          Effect.tapError(({ reason }) =>
            reason._tag === "AccountClosed" ? close(userId, reason.deleted === true) : Effect.void
          )
        )
    })
  })
)

/**
 * The store and the facts as the authorization server sees them. Whatever it does, through the library or by itself,
 * an end of grants shows itself there, so that this is the one place which tells of it.
 */
export const layer = Layer.merge(storage, access)
