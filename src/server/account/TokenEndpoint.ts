import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"

import { AppConfig } from "../config/AppConfig.ts"
import type { GrantId, UserId } from "../domain/Principal.ts"
import { StorageUnavailable } from "../oauth/AuthorizationFailure.ts"
import { lifetimes, OAuthLibrary } from "../oauth/OAuthLibrary.ts"
import { OAuthStorage, routed } from "../oauth/OAuthStorage.ts"
import { basicClientId, issuerOf, type PresentedToken, presentedIn } from "../oauth/PresentedToken.ts"
import type { TokenRequest } from "../oauth/UserAuthorities.ts"
import { decodeGrant, type GrantRecords, makeStage } from "./GrantRecords.ts"
import { type Change, Records } from "./Records.ts"
import { makeRefreshes, timesOf, TokenAnswer } from "./Refreshes.ts"

const decodeAnswer = Schema.decodeUnknownOption(TokenAnswer)
const decodeAnswerNow = Schema.decodeUnknownEffect(TokenAnswer)
const decodeError = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ error: Schema.String })))

/** Whether two answers give the same rights at the same resource. */
const isAlike = (one: string, other: string): boolean => {
  const rights = (body: string) => Option.map(decodeAnswer(body), ({ scope, resource }) => [scope, resource])
  return JSON.stringify(rights(one)) === JSON.stringify(rights(other))
}

/** An answer with some fields changed. */
const withFields = (body: string, fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...JSON.parse(body), ...fields })

/** What is answered where it is not what the library answered, and what is changed. */
interface Outcome {
  readonly body?: string
  readonly changes: ReadonlyArray<Change>
  /** Whether the connection ended, whatever the library answered. */
  readonly ends?: boolean
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
    { grantId, use }: PresentedToken,
    seen: string | undefined,
    changes: ReadonlyArray<Change>
  ) {
    if (changes.length === 0) return true
    const key = grants.keyOf(grantId)
    const ends = changes.some((change) => change.key === key && change.value === null)
    const all = ends ? [...changes, ...(yield* grants.removal(grantId))] : changes
    if (!(yield* commitIf(key, (stored) => stored === seen, all))) return false
    const grant = Option.getOrUndefined(decodeGrant(seen ?? ""))
    if (!ends || grant === undefined) return true
    const { id, clientId } = grant
    // By a revocation the client ends it; by a refresh or an exchange, whoever used a token or a code again.
    yield* Effect.annotateLogs(Effect.logWarning("A connection was ended at /token"), {
      by: use,
      userId,
      clientId,
      grantId: id
    })
    yield* ended(id)
    return true
  })

  /** An answer that is given again, with the time that its access token has left; undefined where that one is dead. */
  const repeat = Effect.fnUntraced(function* (grantId: string, earlier: string, answeredAt: number) {
    const { access_token: token, expires_in: seconds } = yield* Effect.orDie(decodeAnswerNow(earlier))
    if ((yield* records.get(grants.accessKeyOf(grantId, yield* refreshes.hash(token)))) === undefined) return undefined
    const elapsed = Math.floor(((yield* Clock.currentTimeMillis) - answeredAt) / 1_000)
    return withFields(earlier, { expires_in: Math.max(seconds - elapsed, 0) })
  })

  const replayed = Effect.fnUntraced(function* (grantId: string) {
    return { ends: true, changes: yield* grants.removal(grantId) } satisfies Outcome
  })

  /** What an answer to a refresh becomes, and what it changes. `made`: what the library changed for it. */
  const refreshed = Effect.fnUntraced(function* (
    { grantId, token }: PresentedToken,
    response: Response,
    body: string,
    made: ReadonlyArray<Change>
  ): Effect.fn.Return<Outcome> {
    const before = yield* refreshes.find(grantId, token)
    if (!response.ok) {
      const error = Option.map(decodeError(body), (answer) => answer.error)
      if (!Option.contains(error, "invalid_grant")) return { changes: made }
      const wasUsed = before !== undefined || (yield* grants.wasSpent(grantId, yield* refreshes.hash(token)))
      return wasUsed ? yield* replayed(grantId) : { changes: made }
    }
    if (yield* grants.isWornOut(grantId)) return yield* replayed(grantId)
    const earlier = before === undefined ? undefined : yield* refreshes.answered(grantId, token)
    if (before === undefined || earlier === undefined) {
      // Who uses an access token has the refresh token that came with it, and needs no older one.
      if (before !== undefined && (yield* refreshes.isSpent(before, grantId))) return yield* replayed(grantId)
      return { changes: [...made, ...(yield* refreshes.use(grantId, token, body, before))] }
    }
    if (isAlike(earlier, body)) {
      const repeated = yield* repeat(grantId, earlier, before.answeredAt ?? before.usedAt)
      if (repeated !== undefined) return { body: repeated, changes: [] }
    }
    // The refresh token that was handed out stays good: only the access token is another one.
    const { refresh_token } = yield* Effect.orDie(decodeAnswerNow(earlier))
    const next = withFields(body, { refresh_token })
    const access = made.filter(({ key }) => key.startsWith(grants.accessKeyOf(grantId, "")))
    return { body: next, changes: [...access, ...(yield* refreshes.use(grantId, token, next, before, "kept"))] }
  })

  /** A revocation with a refresh token that was used ends its grant too, if it is the same client's (RFC 7009, section 2.1). */
  const revoked = Effect.fnUntraced(function* (
    { grantId, token }: PresentedToken,
    { headers, form }: TokenRequest,
    seen: string | undefined
  ) {
    const wasUsed =
      (yield* refreshes.find(grantId, token)) !== undefined ||
      (yield* grants.wasSpent(grantId, yield* refreshes.hash(token)))
    if (!wasUsed) return []
    const authorization = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1]
    const fields = new URLSearchParams(form)
    const client = fields.get("client_id") ?? basicClientId(authorization) ?? issuerOf(fields)
    const owner = Option.getOrUndefined(decodeGrant(seen))?.clientId
    return client !== undefined && client === owner ? yield* grants.removal(grantId) : []
  })

  /** Whether this was ever given to a client of the user, as far as that is remembered. */
  const isKnown = Effect.fnUntraced(function* ({ grantId, token }: PresentedToken) {
    const grant = Option.getOrUndefined(decodeGrant(yield* grants.find(grantId)))
    if (grant === undefined) return false
    const id = yield* refreshes.hash(token)
    if ([grant.authCodeId, grant.refreshTokenId, grant.previousRefreshTokenId].includes(id)) return true
    if ((yield* records.get(grants.accessKeyOf(grantId, id))) !== undefined) return true
    return (yield* refreshes.find(grantId, token)) !== undefined
  })

  const answer = Effect.fnUntraced(function* (presented: PresentedToken, request: TokenRequest) {
    const { headers, form } = request
    const { storage, changes } = yield* stage
    const seen = yield* grants.find(presented.grantId)
    // Of a grant that has ended, the client is to learn that it has ended, at whichever address it was.
    const resource = Option.getOrUndefined(decodeGrant(seen))?.resource ?? new URLSearchParams(form).get("resource")
    const init = {
      method: "POST",
      headers: headers.map(([name, value]): [string, string] => [name, value]),
      body: form
    }
    const { response, body } = yield* Effect.tryPromise({
      try: async () => {
        const env = { OAUTH_KV: routed(kv, storage) }
        const { provider } = forResource(resource ?? undefined)
        const response = await provider.fetch(new Request(endpoint, init), env, freshContext())
        return { response, body: await response.text() }
      },
      catch: (cause) => new StorageUnavailable({ operation: "/token", cause })
    })
    // What was refused changes nothing, except that a grant may end with it.
    const made = response.ok ? changes() : changes().filter(({ value }) => value === null)
    const outcome: Outcome =
      presented.use === "refresh"
        ? yield* refreshed(presented, response, body, made)
        : presented.use === "revocation" && response.ok
          ? { changes: [...made, ...(yield* revoked(presented, request, seen))] }
          : { changes: made }
    const pruned = outcome.changes.length === 0 ? [] : yield* grants.prune(presented.grantId, outcome.changes)
    const took = yield* settle(presented, seen, [...outcome.changes, ...pruned])
    const isOver = !took || (response.ok && outcome.ends === true)
    return isOver ? connectionEnded(response) : new Response(outcome.body ?? body, response)
  })

  return Effect.fn("TokenEndpoint.answer")(function* (request: TokenRequest) {
    const presented = presentedIn(new URLSearchParams(request.form))
    if (presented === undefined) return yield* Effect.die(new TypeError(`nothing of ${userId} was presented`))
    // Whoever makes tokens up must not keep the owner waiting.
    const known = yield* isKnown(presented)
    return yield* known ? inTurn(presented.grantId, answer(presented, request)) : answer(presented, request)
  })
})

/** The grant was ended while the library worked on it (RFC 6749, section 5.2). */
const connectionEnded = ({ headers }: Response): Response =>
  new Response(JSON.stringify({ error: "invalid_grant", error_description: "This connection was ended" }), {
    status: 400,
    headers
  })
