import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { JWTPayload } from "jose"
import type { ClerkSession } from "./ClerkSessions.ts"
import type { ClerkUser } from "./Directory.ts"
import { randomSecret } from "./Ids.ts"
import { type JwtTemplate, templateClaims } from "./JwtTemplates.ts"
import { KeyRing } from "./KeyRing.ts"
import { isSystemPermission } from "./OrganizationRoles.ts"
import { type Membership, Organizations } from "./Organizations.ts"
import { StandInClock } from "./StandInClock.ts"
import { StandInSettings } from "./StandInOptions.ts"

/** Clerk marks the kind of a token in its header; `verifyToken` of the SDK does not look at it, applications can. */
const category = { session: "cl_B7d4PD111AAA", template: "cl_B7d4PD222AAA" } as const

/** For how many seconds tokens are valid whose request does not say. */
export interface TokenLifetimes {
  readonly sessionSeconds: number
  readonly templateSeconds: number
}

/**
 * The organization of a version 2 session token. `fea` names the features; `fpm` has one number for each of them, whose
 * bits say which of the actions in `per` the member may take. Clerk's own permissions are left out.
 */
const organizationClaims = ({ organization, permissions, role }: Membership) => {
  const custom = permissions
    .filter((key) => !isSystemPermission(key))
    .flatMap((key) => {
      const [, feature, action] = key.split(":")
      return feature === undefined || action === undefined ? [] : [{ feature, action }]
    })
  const features = Array.from(new Set(custom.map(({ feature }) => feature)))
  const actions = Array.from(new Set(custom.map(({ action }) => action)))
  const bits = (feature: string): bigint =>
    actions.reduce((sum, action, place) => {
      const held = custom.some((one) => one.feature === feature && one.action === action)
      return held ? sum | (1n << BigInt(place)) : sum
    }, 0n)
  return {
    ...(features.length === 0 ? {} : { fea: features.map((feature) => `o:${feature}`).join(",") }),
    o: {
      id: organization.id,
      rol: role.replace(/^org:/, ""),
      slg: organization.slug,
      ...(features.length === 0 ? {} : { per: actions.join(","), fpm: features.map(bits).join(",") })
    }
  }
}

export interface SessionTokenRequest {
  /** Origin of the application that the token is for: what the Frontend API makes `azp` of. */
  readonly authorizedParty?: string
  readonly lifetimeSeconds?: number | undefined
}

/** The JWTs that Clerk hands out for a session. */
export class SessionTokens extends Context.Service<
  SessionTokens,
  {
    /** Version 2 session token. It carries `sid`, and `azp` only if there is an authorized party. */
    readonly forSession: (session: ClerkSession, user: ClerkUser, request: SessionTokenRequest) => Effect.Effect<string>
    /** Template token: no `sid` and no `azp`, the template's claims instead. */
    readonly forTemplate: (
      template: JwtTemplate,
      session: ClerkSession,
      user: ClerkUser,
      lifetimeSeconds?: number
    ) => Effect.Effect<string>
    /** Applies to the tokens that are made from now on. Below Clerk's 30 s, too, so that a test can wait. */
    readonly setLifetimes: (lifetimes: Partial<TokenLifetimes>) => Effect.Effect<void>
    /** A minute again. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/SessionTokens") {
  static readonly layer = Layer.effect(
    SessionTokens,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const keys = yield* KeyRing
      const settings = yield* StandInSettings
      const organizations = yield* Organizations
      const minute: TokenLifetimes = { sessionSeconds: 60, templateSeconds: 60 }
      let lifetimes = minute

      const common = Effect.fnUntraced(function* (user: ClerkUser, lifetimeSeconds: number) {
        const now = yield* clock.nowSeconds
        return {
          exp: now + lifetimeSeconds,
          iat: now,
          iss: settings.origin,
          jti: randomSecret(20),
          nbf: now - 10,
          sub: user.id
        } satisfies JWTPayload
      })

      const activeMembership = (session: ClerkSession) =>
        session.organizationId === undefined
          ? Effect.succeed(Option.none<Membership>())
          : organizations.membership(session.organizationId, session.userId)

      return SessionTokens.of({
        forSession: Effect.fnUntraced(function* (session, user, { authorizedParty, lifetimeSeconds }) {
          const claims = yield* common(user, lifetimeSeconds ?? lifetimes.sessionSeconds)
          const membership = yield* activeMembership(session)
          const age = Math.max(0, Math.floor((claims.iat - session.createdAt / 1000) / 60))
          return yield* keys.sign(
            {
              ...claims,
              ...(authorizedParty === undefined ? {} : { azp: authorizedParty }),
              fva: [age, -1],
              ...Option.match(membership, { onNone: () => ({}), onSome: organizationClaims }),
              sid: session.id,
              sts: "active",
              v: 2
            },
            { cat: category.session }
          )
        }),
        forTemplate: Effect.fnUntraced(function* (template, session, user, lifetimeSeconds) {
          const claims = yield* common(user, lifetimeSeconds ?? lifetimes.templateSeconds)
          const membership = Option.getOrUndefined(yield* activeMembership(session))
          return yield* keys.sign(
            { ...templateClaims(template, user, membership), ...claims },
            { cat: category.template }
          )
        }),
        setLifetimes: (changed) => Effect.sync(() => void (lifetimes = { ...lifetimes, ...changed })),
        reset: Effect.sync(() => void (lifetimes = minute))
      })
    })
  )
}
