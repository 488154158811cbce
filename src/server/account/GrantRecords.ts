import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { ClientId, GrantId, type UserId } from "../domain/Principal.ts"
import { GrantStorage, type KeyValues } from "../oauth/OAuthStorage.ts"
import { type Grant, GrantMetadata } from "../oauth/UserAuthorities.ts"
import { type Change, Records, type StoredRecord } from "./Records.ts"

/** The keys of the OAuth library. */
const grantsOf = (userId: UserId) => `grant:${userId}:`
const tokensOf = (userId: UserId, grantId: string) => `token:${userId}:${grantId}:`

/** The id of a grant that is stored under this key. */
export const grantOf = (key: string): GrantId | undefined => {
  const [kind, , id] = key.split(":")
  return kind === "grant" && id !== undefined ? GrantId.make(id) : undefined
}

/** What is stored beside a grant, and goes with it. */
export const useOf = (grantId: string) => `use:${grantId}`
export const accessUseOf = (grantId: string, id: string) => `use:${grantId}:${id}`
export const refreshesOf = (grantId: string) => `refresh:${grantId}:`
const spentOf = (grantId: string) => `spent:${grantId}`

/** What the OAuth library keeps of a grant, as far as it is read here. Times are in seconds. */
const Stored = Schema.fromJsonString(
  Schema.Struct({
    id: GrantId,
    clientId: ClientId,
    scope: Schema.Array(Schema.String),
    createdAt: Schema.Finite,
    resource: Schema.optionalKey(Schema.String),
    redirectUri: Schema.optionalKey(Schema.String),
    authCodeId: Schema.optionalKey(Schema.String),
    refreshTokenId: Schema.optionalKey(Schema.String),
    previousRefreshTokenId: Schema.optionalKey(Schema.String),
    metadata: GrantMetadata
  })
)
export type StoredGrant = typeof Stored.Type
export const decodeGrant = Schema.decodeUnknownOption(Stored)

/** How many used refresh tokens, and how many access tokens, are remembered of a grant: the newest. */
const mostRefreshes = 100
const mostAccessTokens = 50

/** Of the used refresh tokens beyond these, so many characters of the hash are known: 64 bits. */
const spentLength = 16

/** How many of them at most: a grant that was refreshed more often ends, as a token that is forgotten could be used again. */
const mostSpent = 5_000

/** The grants of a user, among the user's records. */
export const makeGrantRecords = Effect.fnUntraced(function* (userId: UserId) {
  const records = yield* Records
  const keyOf = (grantId: string) => `${grantsOf(userId)}${grantId}`

  /** A grant as it is stored. */
  const find = (grantId: string) => records.get(keyOf(grantId))

  /** What is there under a prefix once changes were made, what stays longest first. */
  const afterChanges = Effect.fnUntraced(function* (prefix: string, made: ReadonlyArray<Change>) {
    const own = made.filter(({ key }) => key.startsWith(prefix))
    const stored = (yield* records.list(prefix)).filter(({ key }) => !own.some((change) => change.key === key))
    return [...own, ...stored]
      .flatMap((change) => (change.value === null ? [] : change))
      .toSorted((a, b) => (b.expiresAt ?? Infinity) - (a.expiresAt ?? Infinity))
  })

  const usedAt = Effect.fnUntraced(function* ({ id, createdAt }: StoredGrant) {
    return Number((yield* records.get(useOf(id))) ?? createdAt * 1_000)
  })

  return {
    keyOf,
    find,

    list: Effect.gen(function* () {
      const stored = (yield* records.list(grantsOf(userId))).flatMap(({ value }) => Option.toArray(decodeGrant(value)))
      return yield* Effect.forEach(stored, (grant) =>
        Effect.map(usedAt(grant), (used): Grant => ({
          ...grant.metadata,
          id: grant.id,
          clientId: grant.clientId,
          scopes: grant.scope,
          createdAt: grant.createdAt * 1_000,
          usedAt: used,
          ...(grant.redirectUri !== undefined && { redirectUri: grant.redirectUri })
        }))
      )
    }),

    /** The grants for which `matches` holds, as they are stored. */
    matching: (matches: (grant: StoredGrant) => boolean) =>
      Effect.map(records.list(grantsOf(userId)), (found) =>
        found.flatMap(({ value }) => Option.toArray(decodeGrant(value))).filter((grant) => matches(grant))
      ),

    accessKeyOf: (grantId: string, id: string) => `${tokensOf(userId, grantId)}${id}`,

    /** Whether a refresh token with this hash was used so long ago that nothing else is known of it. */
    wasSpent: Effect.fnUntraced(function* (grantId: string, hash: string) {
      const spent = (yield* records.get(spentOf(grantId))) ?? ""
      const wanted = hash.slice(0, spentLength)
      for (let at = 0; at < spent.length; at += spentLength) if (spent.startsWith(wanted, at)) return true
      return false
    }),

    /** Whether the grant was refreshed more often than used tokens can be known. */
    isWornOut: (grantId: string) =>
      Effect.map(records.get(spentOf(grantId)), (spent = "") => spent.length >= mostSpent * spentLength),

    /** What is removed beside changes, so that no number of refreshes makes the records of a grant grow without bound. */
    prune: Effect.fnUntraced(function* (grantId: string, made: ReadonlyArray<Change>) {
      const tokens = yield* afterChanges(tokensOf(userId, grantId), made)
      const rows = yield* afterChanges(refreshesOf(grantId), made)
      const used = rows.filter(({ key }) => !key.endsWith(":answer"))
      const kept = [...tokens.slice(0, mostAccessTokens), ...used.slice(0, mostRefreshes)]
      const marks = (yield* records.list(accessUseOf(grantId, ""))).filter(({ key }) => {
        const id = key.slice(accessUseOf(grantId, "").length)
        return !kept.some((record) => record.key.endsWith(id) || record.value.includes(id))
      })
      const gone = [...tokens.slice(mostAccessTokens), ...marks].map(({ key }) => key)
      const former = used.slice(mostRefreshes).map(({ key }) => key)
      const forgotten = former.flatMap((key) => [key, `${key}:answer`])
      const removals = [...gone, ...forgotten].map((key): Change => ({ key, value: null }))
      const [newest] = used
      if (former.length === 0 || newest === undefined) return removals
      const hashes = former.map((key) =>
        key.slice(refreshesOf(grantId).length).slice(0, spentLength).padEnd(spentLength)
      )
      const value = ((yield* records.get(spentOf(grantId))) ?? "") + hashes.join("")
      return [...removals, { key: spentOf(grantId), value, expiresAt: newest.expiresAt }]
    }),

    /** The removal of a grant, and of all that goes with it. */
    removal: Effect.fnUntraced(function* (grantId: string) {
      const tokens = yield* records.list(tokensOf(userId, grantId))
      const refreshes = yield* records.list(refreshesOf(grantId))
      const marks = yield* records.list(accessUseOf(grantId, ""))
      return [
        keyOf(grantId),
        useOf(grantId),
        spentOf(grantId),
        ...[...tokens, ...refreshes, ...marks].map(({ key }) => key)
      ].map((key): Change => ({ key, value: null }))
    })
  }
})

export type GrantRecords = Effect.Success<ReturnType<typeof makeGrantRecords>>

/** What the library did to its store during one request, held back until it is known that all of it takes place. */
export interface Stage {
  readonly storage: KeyValues
  readonly changes: () => ReadonlyArray<Change>
}

/**
 * The store as the OAuth library sees it while it serves one request: it reads its own writes, and nobody else does.
 */
export const makeStage = Effect.gen(function* () {
  const records = yield* Records
  const clock = yield* Clock.Clock
  const run = Effect.runSyncWith(yield* Effect.context())
  const changed = new Map<string, Change>()

  const valueOf = (key: string): string | null => {
    const change = changed.get(key)
    return change === undefined ? (run(records.get(key)) ?? null) : change.value
  }

  const read = async (key: string, options?: string | Readonly<Record<string, unknown>>): Promise<unknown> => {
    const value = valueOf(key)
    const type = typeof options === "string" ? options : options?.["type"]
    return value !== null && type === "json" ? JSON.parse(value) : value
  }

  const storage: Record<keyof KeyValues, unknown> = {
    get: read,
    put: async (key: string, value: string, options: KVNamespacePutOptions = {}) => {
      changed.set(key, { key, value, expiresAt: expiryOf(options, clock.currentTimeMillisUnsafe()) })
    },
    delete: async (key: string) => {
      changed.set(key, { key, value: null })
    },
    list: async ({ prefix = "" }: KVNamespaceListOptions = {}) => {
      const stored = run(records.list(prefix ?? "")).map(({ key }) => key)
      const added = [...changed.keys()].filter((key) => key.startsWith(prefix ?? ""))
      const names = [...new Set([...stored, ...added])].filter((key) => valueOf(key) !== null)
      return { keys: names.map((name) => ({ name })), list_complete: true }
    }
  }
  return {
    // A namespace has more overloads than anybody uses.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    storage: storage as KeyValues,
    changes: () => [...changed.values()]
  } satisfies Stage
})

/** When a value is gone that the library writes with these options, in milliseconds since 1970. It counts in seconds. */
export const expiryOf = (
  { expiration, expirationTtl }: Pick<KVNamespacePutOptions, "expiration" | "expirationTtl">,
  now: number
): StoredRecord["expiresAt"] =>
  expiration !== undefined ? expiration * 1_000 : expirationTtl !== undefined ? now + expirationTtl * 1_000 : null

const elsewhere = () => Promise.reject(new TypeError("grants are changed on a stage only"))

/** In the object, where access tokens are checked: reads. What changes grants works on a stage. */
export const grantStorage = Layer.effect(
  GrantStorage,
  Effect.map(makeStage, ({ storage: { get } }) =>
    GrantStorage.of({ get, put: elsewhere, delete: elsewhere, list: elsewhere })
  )
)
