import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { GrantId, UserId } from "../domain/Principal.ts"

/**
 * The key-value store that the OAuth library sees: clients, grants, tokens by hash, and consent transactions. The
 * library uses these four methods of a KV namespace and no other.
 */
export class OAuthStorage extends Context.Service<OAuthStorage, Pick<KVNamespace, "get" | "put" | "delete" | "list">>()(
  "oauth/OAuthStorage"
) {
  /** The KV namespace bound as `OAUTH_KV`. */
  static readonly layer = Layer.effect(
    OAuthStorage,
    Effect.map(AppConfig, ({ OAUTH_KV: kv }) => knownKeys(kv))
  )
}

const utf8 = new TextEncoder()
/** The longest key that Workers KV takes, in bytes. It throws at a longer one. */
const longestKey = 512

/** Keys hold what clients send. Nothing is ever stored under one that is too long, so nothing is found there either. */
const knownKeys = (kv: KVNamespace): OAuthStorage["Service"] => {
  const get: (key: string, options: KVNamespaceGetOptions<"text">) => Promise<unknown> = (key, options) =>
    utf8.encode(key).length > longestKey ? Promise.resolve(null) : kv.get(key, options)
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- hands its arguments on, whichever overload they fit
    get: get as KVNamespace["get"],
    put: kv.put.bind(kv),
    delete: kv.delete.bind(kv),
    list: kv.list.bind(kv)
  }
}

const decodeGrant = Schema.decodeUnknownOption(Schema.Struct({ userId: UserId, grantId: GrantId }))

/** The grant that the library keeps under a key, which it writes as `grant:user:grant`. */
const grantAt = (key: string) => {
  const [kind, userId, grantId] = key.split(":")
  return kind === "grant" ? decodeGrant({ userId, grantId }) : Option.none()
}

/**
 * The store as the OAuth library sees it: a grant that is deleted is published as ended. The library ends every grant
 * by deleting it: on revocation (RFC 7009), when a code is used twice, at a refresh that is refused for good, and on the
 * server's own word. A revocation that it refuses deletes nothing.
 */
export const publishingEnds = Effect.gen(function* () {
  const kv = yield* OAuthStorage
  const events = yield* AccessEvents
  const run = Effect.runSyncWith(yield* Effect.context())
  return OAuthStorage.of({
    get: kv.get.bind(kv),
    put: kv.put.bind(kv),
    list: kv.list.bind(kv),
    delete: async (key) => {
      await kv.delete(key)
      const grant = grantAt(key)
      if (Option.isSome(grant)) run(events.publish(AccessEvent.cases.GrantEnded.make(grant.value)))
    }
  })
})
