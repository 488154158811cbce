import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Adapter, AdapterPayload } from "oidc-provider"
import { OAuthApplications } from "../OAuthApplications.ts"
import { StandInClock } from "../StandInClock.ts"

/** An access token, alive or not; times are seconds since the epoch, on the stand-in's clock. */
export interface AccessToken {
  readonly userId: string
  readonly clientId: string
  readonly scopes: ReadonlySet<string>
  readonly issuedAt: number
  readonly expiresAt: number
  readonly expired: boolean
  readonly revoked: boolean
}

const shifted = (payload: AdapterPayload, seconds: number): AdapterPayload => {
  const copy = structuredClone(payload)
  for (const field of ["iat", "exp", "iiat", "loginTs", "authTime"] as const) {
    const at = copy[field]
    if (at !== undefined) copy[field] = at + seconds
  }
  return copy
}

/**
 * What oidc-provider stores, in memory. oidc-provider reads the system clock, so records are kept on the stand-in's
 * clock and shifted on their way in and out: a shifted clock then counts for codes, tokens and sign-ins too.
 */
export class OAuthRecords extends Context.Service<
  OAuthRecords,
  {
    readonly adapter: (model: string) => Adapter
    /** An access token that was issued, even if it has expired or was revoked since. Says nothing about its user. */
    readonly describeAccessToken: (token: string) => Effect.Effect<Option.Option<AccessToken>>
    /** The same, if it has neither expired nor been revoked. */
    readonly findAccessToken: (token: string) => Effect.Effect<Option.Option<AccessToken>>
    /** Revokes the grant that an access or refresh token of this client belongs to. Answers whether there was one. */
    readonly revokeGrantOf: (token: string, clientId: string) => Effect.Effect<boolean>
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/oauth/OAuthRecords") {
  static readonly layer = Layer.effect(
    OAuthRecords,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const applications = yield* OAuthApplications
      const run = Effect.runPromiseWith(yield* Effect.context())
      const records = new Map<string, AdapterPayload>()
      const issued = new Map<string, AdapterPayload>()

      const load = Effect.fnUntraced(function* (key: string) {
        const stored = records.get(key)
        return stored === undefined ? undefined : shifted(stored, -(yield* clock.offsetSeconds))
      })

      const revokeGrant = (grantId: string): void => {
        for (const [key, payload] of Array.from(records)) {
          if (payload.grantId === grantId) records.delete(key)
        }
        records.delete(`Grant:${grantId}`)
      }

      const client = Effect.fnUntraced(function* (clientId: string) {
        const application = yield* applications.findByClientId(clientId)
        return Option.match(application, {
          onNone: () => undefined,
          onSome: (found): AdapterPayload => ({
            client_id: found.clientId,
            client_name: found.name,
            redirect_uris: [...found.redirectUris],
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            id_token_signed_response_alg: "RS256",
            scope: found.scopes,
            ...(found.isPublic
              ? { token_endpoint_auth_method: "none" }
              : { token_endpoint_auth_method: "client_secret_basic", client_secret: found.clientSecret })
          })
        })
      })

      const adapter = (model: string): Adapter => {
        const key = (id: string) => `${model}:${id}`
        return {
          upsert: (id, payload) =>
            run(
              Effect.map(clock.offsetSeconds, (offset) => {
                const stored = shifted(payload, offset)
                records.set(key(id), stored)
                if (model === "AccessToken") issued.set(id, stored)
              })
            ),
          find: (id) => run(model === "Client" ? client(id) : load(key(id))),
          findByUid: (uid) =>
            run(
              Effect.suspend(() => {
                const found = Array.from(records).find(
                  ([name, payload]) => name.startsWith(`${model}:`) && payload.uid === uid
                )
                return found === undefined ? Effect.undefined : load(found[0])
              })
            ),
          findByUserCode: () => Promise.resolve(undefined),
          consume: (id) =>
            run(
              Effect.map(clock.nowSeconds, (now) => {
                const stored = records.get(key(id))
                if (stored !== undefined) records.set(key(id), { ...stored, consumed: now })
              })
            ),
          destroy: (id) => Promise.resolve(void records.delete(key(id))),
          revokeByGrantId: (grantId) => Promise.resolve(revokeGrant(grantId))
        }
      }

      const describeAccessToken = Effect.fnUntraced(function* (token: string) {
        const stored = issued.get(token)
        const now = yield* clock.nowSeconds
        if (stored?.accountId === undefined || stored.clientId === undefined || stored.exp === undefined) {
          return Option.none()
        }
        return Option.some<AccessToken>({
          userId: stored.accountId,
          clientId: stored.clientId,
          scopes: new Set(stored.scope?.split(" ")),
          issuedAt: stored.iat ?? now,
          expiresAt: stored.exp,
          expired: stored.exp <= now,
          revoked: !records.has(`AccessToken:${token}`) || !records.has(`Grant:${stored.grantId ?? ""}`)
        })
      })

      return OAuthRecords.of({
        adapter,
        describeAccessToken,
        findAccessToken: (token) =>
          Effect.map(
            describeAccessToken(token),
            Option.filter((found) => !found.expired && !found.revoked)
          ),
        revokeGrantOf: (token, clientId) =>
          Effect.sync(() => {
            const stored = records.get(`AccessToken:${token}`) ?? records.get(`RefreshToken:${token}`)
            if (stored?.grantId === undefined || stored.clientId !== clientId) return false
            revokeGrant(stored.grantId)
            return true
          }),
        reset: Effect.sync(() => {
          records.clear()
          issued.clear()
        })
      })
    })
  )
}
