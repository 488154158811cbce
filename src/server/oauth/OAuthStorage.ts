import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { Lru } from "../access/Lru.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import * as Incident from "../observability/Incident.ts"

/** The four methods of a KV namespace that the OAuth library uses, and no other. */
export type KeyValues = Pick<KVNamespace, "get" | "put" | "delete" | "list">

/** What is nobody's yet: registered clients, consent transactions, used assertions, answers to forms. All of it may be a minute old. */
export class OAuthStorage extends Context.Service<OAuthStorage, KeyValues>()("oauth/OAuthStorage") {
  /** The KV namespace bound as `OAUTH_KV`. */
  static readonly layer = Layer.effect(
    OAuthStorage,
    Effect.gen(function* () {
      const { OAUTH_KV: kv } = yield* AppConfig
      const run = Effect.runPromiseWith(yield* Effect.context())
      return paced(knownKeys(kv), yield* KeepAlive, yield* Clock.Clock, run)
    })
  )
}

/** Grants and tokens, which have to be the same for everybody at every moment: each user's are in the user's object. */
export class GrantStorage extends Context.Service<GrantStorage, KeyValues>()("oauth/GrantStorage") {}

const isOfUser = (key: string): boolean => key.startsWith("grant:") || key.startsWith("token:")

/** The store that the OAuth library sees: what belongs to a user is in one, everything else in the other. */
export const routed = (kv: KeyValues, grants: KeyValues): KeyValues => {
  const at = (key = "") => (isOfUser(key) ? grants : kv)
  const get: (key: string, options: KVNamespaceGetOptions<"text">) => Promise<unknown> = (key, options) =>
    at(key).get(key, options)
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- hands its arguments on, whichever overload they fit
    get: get as KeyValues["get"],
    put: (key, ...rest) => at(key).put(key, ...rest),
    delete: (key) => at(key).delete(key),
    list: (options) => at(options?.prefix ?? "").list(options)
  }
}

/** Workers KV did not delete a key. */
class NotDeleted extends Schema.TaggedError<NotDeleted>()("NotDeleted", { cause: Schema.Defect() }) {}

const utf8 = new TextEncoder()
/** The longest key that Workers KV takes, in bytes. It throws at a longer one. */
const longestKey = 512

/** Keys hold what clients send. Nothing is ever stored under one that is too long, so nothing is found there either. */
const knownKeys = (kv: KVNamespace): KeyValues => {
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

/** Workers KV takes one write a second of a key; a deletion is one. */
const writeEvery = Duration.toMillis("1100 millis")

/**
 * A store that deletes what was written a moment ago only after a second: a sign-in that needs no click comes back that
 * soon. Until then it is not found here, so that it works once in this isolate, as elsewhere once KV tells of it. A
 * deletion that fails is tried once more after a second: another isolate may have written the key a moment ago.
 */
const paced = (
  kv: KeyValues,
  keepAlive: (work: Promise<unknown>) => void,
  clock: Clock.Clock,
  run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
): KeyValues => {
  const written = new Lru<string, number>()
  const gone = new Lru<string, true>()
  const get: (key: string, options: KVNamespaceGetOptions<"text">) => Promise<unknown> = (key, options) =>
    gone.has(key) ? Promise.resolve(null) : kv.get(key, options)
  const remove = (key: string) =>
    Effect.tryPromise({ try: () => kv.delete(key), catch: (cause) => new NotDeleted({ cause }) }).pipe(
      Effect.retry({ times: 1, schedule: Schedule.spaced(writeEvery) }),
      Effect.tapError((failure) => Incident.note("What was used up is still in KV, until it expires", failure))
    )
  const later = (key: string, millis: number) => run(Effect.ignore(Effect.delay(remove(key), millis)))
  return {
    ...kv,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- hands its arguments on, whichever overload they fit
    get: get as KeyValues["get"],
    put: async (key, ...rest) => {
      gone.delete(key)
      written.set(key, clock.currentTimeMillisUnsafe())
      await kv.put(key, ...rest)
    },
    delete: async (key) => {
      const wait = (written.get(key) ?? -Infinity) + writeEvery - clock.currentTimeMillisUnsafe()
      if (wait <= 0) return run(remove(key))
      gone.set(key, true)
      return keepAlive(later(key, wait))
    }
  }
}
