import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { randomId, randomSecret, stableId } from "./Ids.ts"
import { StandInClock } from "./StandInClock.ts"
import { StandInSettings } from "./StandInOptions.ts"

/** An OAuth application of the instance; times are milliseconds since the epoch. */
export interface OAuthApplication {
  readonly id: string
  readonly name: string
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUris: ReadonlyArray<string>
  /** Space-separated, as Clerk keeps them. */
  readonly scopes: string
  readonly isPublic: boolean
  readonly pkceRequired: boolean
  /** Kept only: the stand-in shows no consent screen. */
  readonly consentScreen: boolean
  readonly createdAt: number
  readonly updatedAt: number
}

export type OAuthApplicationChange = Partial<
  Pick<
    OAuthApplication,
    "name" | "redirectUris" | "scopes" | "isPublic" | "pkceRequired" | "consentScreen" | "clientSecret"
  >
>

/** Every scope that the stand-in knows. */
export const knownScopes = [
  "openid",
  "profile",
  "email",
  "offline_access",
  "public_metadata",
  "private_metadata",
  "user:org:read"
] as const

export class OAuthApplications extends Context.Service<
  OAuthApplications,
  {
    /** Oldest first. */
    readonly all: Effect.Effect<ReadonlyArray<OAuthApplication>>
    readonly find: (id: string) => Effect.Effect<Option.Option<OAuthApplication>>
    readonly findByClientId: (clientId: string) => Effect.Effect<Option.Option<OAuthApplication>>
    readonly create: (fields: OAuthApplicationChange & { readonly name: string }) => Effect.Effect<OAuthApplication>
    readonly update: (id: string, change: OAuthApplicationChange) => Effect.Effect<Option.Option<OAuthApplication>>
    readonly remove: (id: string) => Effect.Effect<Option.Option<OAuthApplication>>
    /** Back to the one demo application. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/OAuthApplications") {
  static readonly layer = Layer.effect(
    OAuthApplications,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const settings = yield* StandInSettings
      const applications = new Map<string, OAuthApplication>()

      const reset = Effect.gen(function* () {
        const now = yield* clock.nowMillis
        applications.clear()
        const id = stableId("oa", settings.clientId)
        applications.set(id, {
          id,
          name: "MCP Worker (local demo)",
          clientId: settings.clientId,
          clientSecret: settings.clientSecret,
          redirectUris: settings.redirectUris,
          scopes: knownScopes.join(" "),
          isPublic: false,
          pkceRequired: false,
          consentScreen: false,
          createdAt: now,
          updatedAt: now
        })
      })
      yield* reset

      const find = (id: string) => Effect.sync(() => Option.fromUndefinedOr(applications.get(id)))

      return OAuthApplications.of({
        all: Effect.sync(() => Array.from(applications.values())),
        find,
        findByClientId: (clientId) =>
          Effect.sync(() =>
            Option.fromUndefinedOr(Array.from(applications.values()).find((one) => one.clientId === clientId))
          ),
        create: Effect.fnUntraced(function* (fields) {
          const now = yield* clock.nowMillis
          const application: OAuthApplication = {
            id: randomId("oa"),
            clientId: randomSecret(16),
            clientSecret: randomSecret(32),
            redirectUris: [],
            scopes: "profile email",
            isPublic: false,
            pkceRequired: false,
            consentScreen: true,
            ...fields,
            createdAt: now,
            updatedAt: now
          }
          applications.set(application.id, application)
          return application
        }),
        update: Effect.fnUntraced(function* (id, change) {
          const found = yield* find(id)
          if (Option.isNone(found)) return found
          const changed = { ...found.value, ...change, updatedAt: yield* clock.nowMillis }
          applications.set(id, changed)
          return Option.some(changed)
        }),
        remove: Effect.fnUntraced(function* (id) {
          const found = yield* find(id)
          applications.delete(id)
          return found
        }),
        reset
      })
    })
  )
}
