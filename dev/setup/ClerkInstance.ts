import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type ClerkBackend, dashboard } from "./ClerkBackend.ts"
import { Stopped } from "../Stopped.ts"

const Instance = Schema.Struct({ environment_type: Schema.String })

const Domains = Schema.Struct({
  data: Schema.Array(Schema.Struct({ is_satellite: Schema.Boolean, frontend_api_url: Schema.String }))
})

const OrganizationSettings = Schema.Struct({ enabled: Schema.Boolean })

const JwtTemplates = Schema.Array(Schema.Struct({ name: Schema.String }))

/** A Clerk instance as its secret key shows it. */
export interface ClerkInstance {
  readonly production: boolean
  readonly frontendApi: string
  readonly organizations: boolean
  readonly jwtTemplates: ReadonlyArray<string>
}

/** Whether a text can be a secret key, before anybody is asked. Its parts are never repeated. */
export const checkKeyFormat = (key: Redacted.Redacted): Effect.Effect<void, Stopped> => {
  const text = Redacted.value(key)
  if (/^sk_(?:test|live)_\S+$/u.test(text)) return Effect.void
  const problem = text.startsWith("pk_")
    ? "This is Clerk's publishable key, not the secret one."
    : "This is no secret key of Clerk's: those start with sk_test_ or sk_live_."
  return Effect.fail(
    new Stopped({ problem, next: `copy the secret key from ${dashboard("api-keys")} and run setup again.` })
  )
}

/** What the secret key leads to. */
export const readInstance = Effect.fnUntraced(function* ({ ask }: ClerkBackend) {
  const { environment_type: kind } = yield* ask("GET", "/instance", Instance)
  const { data } = yield* ask("GET", "/domains", Domains)
  const domain = data.find(({ is_satellite: satellite }) => !satellite)
  if (domain === undefined) {
    return yield* new Stopped({
      problem: "This Clerk instance has no domain.",
      next: `finish it at ${dashboard("domains")} and run setup again.`
    })
  }
  // An instance whose plan has no organizations refuses the question.
  const organizations = yield* ask("GET", "/instance/organization_settings", OrganizationSettings).pipe(
    Effect.orElseSucceed(() => ({ enabled: false }))
  )
  const templates = yield* ask("GET", "/jwt_templates?limit=500", JwtTemplates)
  return {
    production: kind === "production",
    frontendApi: domain.frontend_api_url.replace(/\/$/u, ""),
    organizations: organizations.enabled,
    jwtTemplates: templates.map(({ name }) => name)
  } satisfies ClerkInstance
})
