import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type ClerkBackend, dashboard } from "./ClerkBackend.ts"
import { Stopped } from "../Stopped.ts"

const Application = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  client_id: Schema.String,
  public: Schema.Boolean,
  dynamically_registered: Schema.Boolean,
  scopes: Schema.String,
  redirect_uris: Schema.Array(Schema.String)
})
type Application = typeof Application.Type

const WithSecret = Schema.Struct({
  ...Application.fields,
  client_secret: Schema.RedactedFromValue(Schema.NonEmptyString)
})

const Applications = Schema.Struct({ data: Schema.Array(Application) })

/** The one scope that the server asks Clerk for. */
const scope = "openid"

export interface WantedApplication {
  readonly name: string
  /** The client id in the settings, if there is one. */
  readonly clientId: string | undefined
  readonly redirectUris: ReadonlyArray<string>
  /** Whether the secret that belongs to the client id is stored where the server reads it. */
  readonly secretStored: boolean
  /** The client secret, if somebody brought it along. */
  readonly secretGiven: Redacted.Redacted | undefined
  /** Whether Clerk may make a new secret for an application that there is; the old one ends with it. */
  readonly mayRotate: boolean
  /** Runs before a secret is made that nobody but this process knows. */
  readonly beforeSecret: Effect.Effect<void, Stopped>
}

const find = Effect.fnUntraced(function* ({ ask }: ClerkBackend, query: string, fits: (one: Application) => boolean) {
  const { data } = yield* ask(
    "GET",
    `/oauth_applications?limit=500&name_query=${encodeURIComponent(query)}`,
    Applications
  )
  return data.find(fits)
})

/** The application of the settings, or the one that a setup which did not finish has made. */
const present = Effect.fnUntraced(function* (clerk: ClerkBackend, { clientId, name }: WantedApplication) {
  const known = clientId === undefined ? undefined : yield* find(clerk, clientId, (one) => one.client_id === clientId)
  const own = (one: Application) => one.name === name && !one.public && !one.dynamically_registered
  return known ?? (yield* find(clerk, name, own))
})

/** What the application lacks. Addresses and scopes that others added stay. */
const lacking = (application: Application, { redirectUris }: WantedApplication) => {
  const addresses = redirectUris.filter((address) => !application.redirect_uris.includes(address))
  const scopes = application.scopes.split(" ").filter((one) => one !== "")
  return {
    ...(addresses.length > 0 && { redirect_uris: [...application.redirect_uris, ...addresses] }),
    ...(!scopes.includes(scope) && { scopes: [...scopes, scope].join(" ") })
  }
}

/**
 * The OAuth application that people sign in with, made or brought up to date. Clerk tells a secret once, when it is made:
 * one that is lost is replaced only where nobody can be using it, or where that was asked for. The secret comes along only where it has to be stored.
 */
export const ensureApplication = Effect.fnUntraced(function* (clerk: ClerkBackend, wanted: WantedApplication) {
  const { beforeSecret, mayRotate, name, redirectUris, secretGiven, secretStored } = wanted
  const found = yield* present(clerk, wanted)
  if (found === undefined) {
    yield* beforeSecret
    const made = yield* clerk.ask("POST", "/oauth_applications", WithSecret, {
      name,
      redirect_uris: redirectUris,
      scopes: scope,
      pkce_required: true,
      // The server has a consent page of its own, which names the client that asks.
      consent_screen_enabled: false
    })
    return {
      clientId: made.client_id,
      secret: made.client_secret,
      done: `"${name}" made, for ${redirectUris.join(", ")}`
    }
  }
  const change = lacking(found, wanted)
  const changed = Object.keys(change).length > 0
  if (changed) yield* clerk.ask("PATCH", `/oauth_applications/${found.id}`, Application, change)
  const state = changed ? `brought up to date, for ${redirectUris.join(", ")}` : "is as it has to be"
  const done = `"${found.name}" ${state}`
  const known = wanted.clientId === undefined || wanted.clientId === found.client_id
  if (secretStored && known) return { clientId: found.client_id, secret: undefined, done }
  if (secretGiven !== undefined) return { clientId: found.client_id, secret: secretGiven, done }
  if (!mayRotate) {
    return yield* new Stopped({
      problem: `Clerk has the OAuth application "${found.name}" already, and tells its client secret to nobody a second time.`,
      next: `run setup with that secret in the environment variable CLERK_CLIENT_SECRET; or with --replace-secrets, and Clerk makes a new one, with which whoever uses the old one cannot sign people in any more (${dashboard("oauth-applications")}).`
    })
  }
  yield* beforeSecret
  const rotated = yield* clerk.ask("POST", `/oauth_applications/${found.id}/rotate_secret`, WithSecret, {})
  return { clientId: found.client_id, secret: rotated.client_secret, done: `${done}, with a new client secret` }
})
