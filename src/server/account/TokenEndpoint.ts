import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"

import { AppConfig } from "../config/AppConfig.ts"
import type { GrantId, UserId } from "../domain/Principal.ts"
import { parseToken } from "../oauth/Admission.ts"
import { StorageUnavailable } from "../oauth/AuthorizationFailure.ts"
import { lifetimes, OAuthLibrary } from "../oauth/OAuthLibrary.ts"
import { OAuthStorage, routed } from "../oauth/OAuthStorage.ts"
import type { TokenRequest } from "../oauth/UserAuthorities.ts"
import { decodeGrant, type GrantRecords, makeStage } from "./GrantRecords.ts"
import { type Change, Records } from "./Records.ts"
import { makeRefreshes, timesOf, TokenAnswer } from "./Refreshes.ts"

/** What a request presents, and the grant that it names. */
interface Presented {
  readonly token: string
  readonly grantId: string
  readonly isRefresh: boolean
}

const presentedIn = (form: URLSearchParams): Presented | undefined => {
  const isRefresh = form.get("grant_type") === "refresh_token"
  const name = isRefresh ? "refresh_token" : form.get("grant_type") === "authorization_code" ? "code" : "token"
  const token = form.get(name) ?? ""
  const grantId = parseToken(token)?.grantId
  return grantId === undefined ? undefined : { token, grantId, isRefresh }
}

const decodeAnswer = Schema.decodeUnknownOption(TokenAnswer)
const decodeError = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ error: Schema.String })))

/** Whether two answers give the same rights at the same resource. */
const isAlike = (one: string, other: string): boolean => {
  const rights = (body: string) => Option.map(decodeAnswer(body), ({ scope, resource }) => [scope, resource])
  return JSON.stringify(rights(one)) === JSON.stringify(rights(other))
}

interface Surroundings {
  readonly userId: UserId
  readonly grants: GrantRecords
  /** Told of each grant that was removed, once it is gone. */
  readonly ended: (grantId: GrantId) => Effect.Effect<void>
}

/**
 * The token endpoint for one user, by the OAuth library on a stage. Requests of one grant come one after the other;
 * what each of them changed takes place as a whole, and only if nobody changed the grant in the meantime.
 */
export const makeTokenEndpoint = Effect.fnUntraced(function* ({ userId, grants, ended }: Surroundings) {
  const config = yield* AppConfig
  const records = yield* Records
  const kv = yield* OAuthStorage
  const { forResource, freshContext } = yield* OAuthLibrary
  const refreshes = yield* makeRefreshes(timesOf(lifetimes(config).refreshToken, config.REFRESH_GRACE_SECONDS))
  const endpoint = new URL("/token", config.PUBLIC_URL)
  const locks = new Map<string, { readonly lock: Semaphore.Semaphore; waiting: number }>()
  const stage = Effect.provideService(makeStage, Records, records)

  /** Runs the requests of a grant one after the other. */
  const inTurn = <A, E>(grantId: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const turn = locks.get(grantId) ?? { lock: Semaphore.makeUnsafe(1), waiting: 0 }
      locks.set(grantId, turn)
      turn.waiting++
      const leave = Effect.sync(() => {
        turn.waiting--
        if (turn.waiting === 0) locks.delete(grantId)
      })
      return Effect.ensuring(turn.lock.withPermits(1)(effect), leave)
    })

  const commitIf = (...args: Parameters<Records["Service"]["commitIf"]>) =>
    Effect.catchDefect(records.commitIf(...args), (cause) =>
      Effect.fail(new StorageUnavailable({ operation: "/token", cause }))
    )

  /** Takes place, unless the grant is another one than the library saw. */
  const settle = Effect.fnUntraced(function* (
    { grantId }: Presented,
    seen: string | undefined,
    changes: ReadonlyArray<Change>
  ) {
    if (changes.length === 0) return true
    const key = grants.keyOf(grantId)
    const ends = changes.some((change) => change.key === key && change.value === null)
    const all = ends ? [...changes, ...(yield* grants.removal(grantId))] : changes
    if (!(yield* commitIf(key, (stored) => stored === seen, all))) return false
    const id = Option.map(decodeGrant(seen ?? ""), (grant) => grant.id)
    if (ends && Option.isSome(id)) yield* ended(id.value)
    return true
  })

  /** What an answer to a refresh changes beside the library's own changes; undefined where an earlier answer is repeated. */
  const refreshed = Effect.fnUntraced(function* ({ grantId, token }: Presented, response: Response, body: string) {
    const before = yield* refreshes.find(grantId, token)
    if (response.ok) {
      const earlier = before === undefined ? undefined : yield* refreshes.answered(grantId, token)
      if (earlier !== undefined && isAlike(earlier, body)) return { repeated: earlier }
      return { changes: yield* refreshes.use(grantId, token, body, before) }
    }
    const error = Option.map(decodeError(body), (answer) => answer.error)
    const isReplayed = before !== undefined && Option.contains(error, "invalid_grant")
    return { changes: isReplayed ? yield* grants.removal(grantId) : [] }
  })

  const answer = Effect.fnUntraced(function* (presented: Presented, { headers, form }: TokenRequest) {
    const { storage, changes } = yield* stage
    const seen = yield* grants.find(presented.grantId)
    const resource = Option.getOrUndefined(decodeGrant(seen))?.resource
    const init = {
      method: "POST",
      headers: headers.map(([name, value]): [string, string] => [name, value]),
      body: form
    }
    const { response, body } = yield* Effect.tryPromise({
      try: async () => {
        const env = { OAUTH_KV: routed(kv, storage) }
        const { provider } = forResource(resource)
        const response = await provider.fetch(new Request(endpoint, init), env, freshContext())
        return { response, body: await response.text() }
      },
      catch: (cause) => new StorageUnavailable({ operation: "/token", cause })
    })
    const { repeated, changes: more = [] } = presented.isRefresh
      ? yield* refreshed(presented, response, body)
      : { repeated: undefined }
    if (repeated !== undefined) return new Response(repeated, response)
    // What was refused changes nothing, except that a grant may end with it.
    const made = response.ok ? changes() : changes().filter(({ value }) => value === null)
    const took = yield* settle(presented, seen, [...made, ...more])
    return took ? new Response(body, response) : connectionEnded(response)
  })

  return Effect.fn("TokenEndpoint.answer")(function* (request: TokenRequest) {
    const presented = presentedIn(new URLSearchParams(request.form))
    if (presented === undefined) return yield* Effect.die(new TypeError(`nothing of ${userId} was presented`))
    return yield* inTurn(presented.grantId, answer(presented, request))
  })
})

/** The grant was ended while the library worked on it (RFC 6749, section 5.2). */
const connectionEnded = ({ headers }: Response): Response =>
  new Response(JSON.stringify({ error: "invalid_grant", error_description: "This connection was ended" }), {
    status: 400,
    headers
  })
