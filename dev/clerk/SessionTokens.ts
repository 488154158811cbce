import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { JWTPayload } from "jose"
import type { ClerkSession } from "./ClerkSessions.ts"
import type { ClerkUser } from "./Directory.ts"
import { randomSecret } from "./Ids.ts"
import { KeyRing } from "./KeyRing.ts"
import { StandInClock } from "./StandInClock.ts"
import { StandInSettings } from "./StandInOptions.ts"

/** Clerk marks the kind of a token in its header; `verifyToken` of the SDK does not look at it, applications can. */
const category = { session: "cl_B7d4PD111AAA", template: "cl_B7d4PD222AAA" } as const

const defaultLifetimeSeconds = 60

/** The JWTs that the Backend API hands out for a session. */
export class SessionTokens extends Context.Service<
  SessionTokens,
  {
    /** Version 2 session token: 60 s unless told otherwise, carries `sid` and `azp`. */
    readonly forSession: (session: ClerkSession, user: ClerkUser, lifetimeSeconds?: number) => Effect.Effect<string>
    /** Template token: no `sid`, the template's claims (the address and public metadata) instead. */
    readonly forTemplate: (user: ClerkUser, lifetimeSeconds?: number) => Effect.Effect<string>
  }
>()("dev/clerk/SessionTokens") {
  static readonly layer = Layer.effect(
    SessionTokens,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const keys = yield* KeyRing
      const settings = yield* StandInSettings

      const common = Effect.fnUntraced(function* (user: ClerkUser, lifetimeSeconds: number = defaultLifetimeSeconds) {
        const now = yield* clock.nowSeconds
        return {
          azp: settings.authorizedParty,
          exp: now + lifetimeSeconds,
          iat: now,
          iss: settings.origin,
          jti: randomSecret(20),
          nbf: now - 10,
          sub: user.id
        } satisfies JWTPayload
      })

      return SessionTokens.of({
        forSession: Effect.fnUntraced(function* (session, user, lifetimeSeconds) {
          const claims = yield* common(user, lifetimeSeconds)
          const organization = session.organizationId === undefined ? undefined : user.organization
          const age = Math.max(0, Math.floor((claims.iat - session.createdAt / 1000) / 60))
          return yield* keys.sign(
            {
              ...claims,
              fva: [age, -1],
              ...(organization === undefined
                ? {}
                : { o: { id: organization.id, rol: organization.role.replace(/^org:/, ""), slg: organization.slug } }),
              sid: session.id,
              sts: "active",
              v: 2
            },
            { cat: category.session }
          )
        }),
        forTemplate: Effect.fnUntraced(function* (user, lifetimeSeconds) {
          const claims = yield* common(user, lifetimeSeconds)
          return yield* keys.sign(
            {
              ...claims,
              ...(settings.templateAudience === undefined ? {} : { aud: settings.templateAudience }),
              email: user.email,
              public_metadata: user.publicMetadata
            },
            { cat: category.template }
          )
        })
      })
    })
  )
}
