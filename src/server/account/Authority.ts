import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import type { Caller, Facts } from "../access/Caller.ts"
import { Snapshots } from "../access/Snapshots.ts"
import type { UserSnapshot } from "../access/UserSnapshot.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { ClientId, GrantId, GrantProps, type Principal, type UserId } from "../domain/Principal.ts"
import { type Admission, type Bearer, parseToken } from "../oauth/Admission.ts"
import { answerTo, GrantCheck } from "../oauth/GrantCheck.ts"
import { lifetimes, OAuthLibrary } from "../oauth/OAuthLibrary.ts"
import { resourceOf, slugOf } from "../oauth/Resource.ts"
import type { Standing, UserAuthority } from "../oauth/UserAuthorities.ts"
import { accessUseOf, decodeGrant, makeGrantRecords, useOf } from "./GrantRecords.ts"
import { Records } from "./Records.ts"
import { makeTokenEndpoint } from "./TokenEndpoint.ts"

const { GrantEnded, OrganizationGranted } = AccessEvent.cases

const decodeProps = Schema.decodeUnknownEffect(GrantProps)

/** What the library keeps of an access token, as far as it tells why the token is refused. Times are in seconds. */
const decodeToken = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ expiresAt: Schema.Finite, grant: Schema.Struct({ clientId: ClientId }) }))
)

/** How exact the last use of a grant is kept, in milliseconds. */
const useEvery = Duration.toMillis("1 minute")

const refused = (reason: string, known?: { readonly userId: UserId; readonly clientId: ClientId }): Admission => ({
  _tag: "NotAdmitted",
  reason,
  ...(known !== undefined && { known })
})

/** Whether the grant is for another organization than the one that has this slug now: slugs change hands. */
const isElsewhere = (slug: string | undefined, admission: Admission): boolean => {
  if (slug === undefined || admission._tag !== "Admitted" || admission.caller.facts._tag === "Unknown") return false
  const { principal, facts } = admission.caller
  const own = facts.user.memberships?.find(({ id }) => id === principal.organizationId)
  // Where Clerk does not tell memberships, nothing of an organization is allowed anyway.
  return facts.user.memberships !== null && own?.slug !== slug
}

/** The authority over one user, in the user's object: on its records, with Clerk's word on the user. */
export class Authority extends Context.Service<
  Authority,
  UserAuthority & {
    /** Whether the user has a grant of this id. Asks nobody, and leaves nothing behind. */
    readonly has: (grantId: string) => Effect.Effect<boolean>
  }
>()("account/Authority") {
  static readonly layer = (userId: UserId) =>
    Layer.effect(
      Authority,
      Effect.gen(function* () {
        const access = yield* Access
        const snapshots = yield* Snapshots
        const records = yield* Records
        const { check } = yield* GrantCheck
        const { env, forResource } = yield* OAuthLibrary
        const { publish } = yield* AccessEvents
        const config = yield* AppConfig
        const { PUBLIC_URL: publicUrl } = config
        const kept = Duration.toMillis(Duration.seconds(lifetimes(config).refreshToken))
        const digest = yield* Digest.Digest
        const grants = yield* makeGrantRecords(userId)
        const ended = (grantId: GrantId) => publish(GrantEnded.make({ userId, grantId }))
        const endpoint = yield* makeTokenEndpoint({ userId, grants, ended })

        const end = Effect.fnUntraced(function* (grantId: GrantId) {
          if ((yield* grants.find(grantId)) === undefined) return
          yield* records.commit(yield* grants.removal(grantId))
          yield* ended(grantId)
        })

        /** Under what the library keeps a token. */
        const idOf = (token: string) => Effect.orDie(digest.digestHex(Digest.sha256, new TextEncoder().encode(token)))

        /** Why the library refuses a token of a grant that stands. */
        const reasonOf = Effect.fnUntraced(function* (grantId: string, token: string) {
          const stored = yield* records.get(grants.accessKeyOf(grantId, yield* idOf(token)))
          const known = Option.getOrUndefined(decodeToken(stored))
          // One that expired is gone from the records, and its grant is not.
          if (known === undefined) return refused("unknown, of a connection that stands")
          const now = yield* Clock.currentTimeMillis
          const { expiresAt, grant } = known
          const reason = expiresAt * 1_000 <= now ? "expired" : "made for another resource"
          return refused(reason, { userId, clientId: grant.clientId })
        })

        /** Notes the use of a grant and of its token, unless the grant it was ended since the token was checked: false then. */
        const noteUse = Effect.fnUntraced(function* (grantId: GrantId, token: string) {
          const now = yield* Clock.currentTimeMillis
          const mark = accessUseOf(grantId, yield* idOf(token))
          const isMarked = (yield* records.get(mark)) !== undefined
          const isKnown = now - Number((yield* records.get(useOf(grantId))) ?? 0) < useEvery
          const keys = [...(isKnown ? [] : [useOf(grantId)]), ...(isMarked ? [] : [mark])]
          const uses = keys.map((key) => ({ key, value: String(now), expiresAt: now + kept }))
          return yield* records.commitIf(grants.keyOf(grantId), (grant) => grant !== undefined, uses)
        })

        const factsOf = (principal: Principal): Effect.Effect<Facts> => {
          /** What is the user's in other organizations is of no concern to this request. */
          const within = (user: UserSnapshot): UserSnapshot => ({
            ...user,
            memberships: user.memberships?.filter(({ id }) => id === principal.organizationId) ?? null
          })
          return Effect.map(access.current(principal.userId), (user): Facts => ({
            _tag: "Known",
            user: within(user)
          })).pipe(
            Effect.catchTag("AccessError", ({ reason }) => {
              const unknown = reason._tag === "AccessUnknown" ? reason : { retryAfterSeconds: 1, passes: true }
              const { retryAfterSeconds, passes } = unknown
              return Effect.succeed<Facts>({ _tag: "Unknown", retryAfterSeconds, passes })
            })
          )
        }

        /** Whether a token of this principal counts, by the table of why a grant is refused. */
        const judged = Effect.fnUntraced(function* (principal: Principal, expiresAt: number, token: string) {
          const { grantId, clientId } = principal
          const failure = yield* Effect.match(check(principal), {
            onSuccess: () => undefined,
            onFailure: ({ reason }) => answerTo(reason)
          })
          if (failure !== undefined && failure.bearer !== "served") {
            const { bearer, log } = failure
            if (bearer === "unavailable") return { _tag: "AdmissionUnknown", reason: log } satisfies Admission
            if (bearer === "revoked") yield* end(grantId)
            return refused(log, { userId, clientId })
          }
          const caller: Caller = { principal, facts: yield* factsOf(principal) }
          if (!(yield* noteUse(grantId, token)))
            return refused("of a connection that was ended just now", { userId, clientId })
          return { _tag: "Admitted", caller, expiresAt } satisfies Admission
        })

        return Authority.of({
          has: (grantId) => Effect.map(grants.find(grantId), (stored) => stored !== undefined),

          admit: Effect.fn("Authority.admit")(function* ({ token, resource }: Bearer) {
            const grantId = parseToken(token)?.grantId
            if (grantId === undefined || (yield* grants.find(grantId)) === undefined) {
              return refused("unknown, of a connection that was ended, or never was")
            }
            const valid = yield* Effect.promise(() =>
              forResource(resource).provider.validateToken<unknown>(resource, token, env)
            )
            if (valid === null) return yield* reasonOf(grantId, token)
            const props = yield* Effect.option(decodeProps(valid.props))
            if (Option.isNone(props)) return { _tag: "AdmissionUnknown", reason: "unreadable" }
            const grant = { grantId: GrantId.make(grantId), clientId: ClientId.make(valid.clientId) }
            const principal = { ...props.value, ...grant, scopes: valid.scope }
            const admission = yield* judged(principal, valid.expiresAt, token)
            return isElsewhere(slugOf(resourceOf(publicUrl, resource)), admission)
              ? refused("made for an organization that has another address", { userId, clientId: principal.clientId })
              : admission
          }),

          token: endpoint,

          standing: access.current(userId).pipe(
            Effect.as(undefined),
            Effect.catchTag("AccessError", ({ reason }) => Effect.succeed(reason)),
            Effect.flatMap((reason) =>
              Effect.map(snapshots.get(userId), (said): Standing => {
                if (reason?._tag !== "AccessUnknown" && said !== undefined) return { _tag: "Said", said }
                const { retryAfterSeconds = 1, passes = true } = reason?._tag === "AccessUnknown" ? reason : {}
                return { _tag: "Unknown", retryAfterSeconds, passes }
              })
            )
          ),

          grants: grants.list,

          end: Effect.fn("Authority.end")(end),

          keep: Effect.fn("Authority.keep")(function* (key, value, expiresAt) {
            yield* records.commit([{ key, value, expiresAt }])
            // What Clerk said during the sign-in is among the records from now on: it counts while Clerk is out.
            const said = yield* snapshots.get(userId)
            if (said !== undefined) yield* snapshots.set(userId, said)
            const organizationId = Option.getOrUndefined(decodeGrant(value))?.metadata.organizationId
            if (organizationId !== undefined) yield* publish(OrganizationGranted.make({ userId, organizationId }))
          })
        })
      })
    ).pipe(Layer.provide([Digest.layerWebCrypto, SecureRandom.layerWebCrypto]))
}
