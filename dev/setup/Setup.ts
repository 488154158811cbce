import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import type * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { configFile, readConfigFile, withEnvironment, writeText } from "../wrangler/ConfigFile.ts"
import { type Config, environmentsOf, isConfig, partOf, placeOf } from "../wrangler/Environments.ts"
import { readJsonc, setJsonc } from "../wrangler/Jsonc.ts"
import * as Answers from "./Answers.ts"
import { clerkBackend } from "./ClerkBackend.ts"
import { checkKeyFormat, readInstance } from "./ClerkInstance.ts"
import { ensureNamespace } from "./Cloudflare.ts"
import { leftToDo, notes } from "./LeftToDo.ts"
import { readLocal, writeLocal } from "./LocalSecrets.ts"
import { ensureApplication } from "./OAuthApplication.ts"
import { type Secrets, secretStore } from "./SecretStore.ts"

export interface SetupOptions {
  readonly env: Option.Option<string>
  /** Nobody is asked: what is not in the environment, in `.dev.vars` or in `wrangler.jsonc` is a failure. */
  readonly yes: boolean
  /** Secrets that are stored already are stored again, and Clerk makes a new client secret. */
  readonly replaceSecrets: boolean
}

const steps = ["Environment", "Clerk", "Cloudflare", "OAuth application", "Secrets", "Settings"] as const

const report = (step: (typeof steps)[number], words: string) =>
  Console.log(`[${steps.indexOf(step) + 1}/${steps.length}] ${step.padEnd(18)} ${words}`)

const note = (words: string) => Console.log(`      ${" ".repeat(18)} ${words}`)

/** The variables of an environment that have a value; on a laptop those of `.dev.vars` come first, as for wrangler. */
const settingsOf = (block: Config | undefined, local: Readonly<Record<string, string>>) => {
  const all = { ...partOf(block?.["vars"]), ...local }
  return (name: string): string | undefined => {
    const value = all[name]
    return typeof value === "string" && value !== "" ? value : undefined
  }
}

/** Where the id of the KV namespace stands, and what stands there. */
const namespaceOf = (block: Config | undefined) => {
  const list = block?.["kv_namespaces"]
  const all = Array.isArray(list) ? list : []
  const index = all.findIndex((one) => isConfig(one) && one["binding"] === "OAUTH_KV")
  const entry: unknown = all[index]
  const id = isConfig(entry) ? entry["id"] : undefined
  return { path: ["kv_namespaces", index < 0 ? all.length : index], entry, id: typeof id === "string" ? id : undefined }
}

const newSigningKeys = Effect.map(
  Effect.flatMap(SecureRandom.SecureRandom, ({ randomBytes }) => randomBytes(32)),
  (bytes) => Redacted.make(`k1:${Base64.encode(bytes)}`)
)

/** `wrangler.jsonc` with the environment in it. */
const prepared = Effect.fnUntraced(function* (
  { config, text }: { readonly config: Config; readonly text: string },
  name: string
) {
  const isTop = placeOf(config, name).path.length === 0
  const wanted = isTop ? text : withEnvironment(text, config, name)
  const written = yield* writeText(configFile, wanted)
  const now = readJsonc(wanted)
  yield* report(
    "Environment",
    `${name} ${isTop ? `is the top level of ${configFile}` : written ? `written into ${configFile}` : `is in ${configFile}`}`
  )
  return { text: wanted, place: placeOf(partOf(now), name) }
})

/** Makes the KV namespace, named as `wrangler deploy` names one that it makes itself, and writes its id at once. */
const withNamespace = Effect.fnUntraced(function* (text: string, place: ReturnType<typeof placeOf>) {
  const { entry, id: known, path } = namespaceOf(place.block)
  const { done, id } = yield* ensureNamespace(`${place.worker}-oauth-kv`, known)
  const at = [...place.path, ...path]
  const after = setJsonc(text, at, { ...(isConfig(entry) ? entry : { binding: "OAUTH_KV" }), id })
  yield* writeText(configFile, after)
  yield* report("Cloudflare", `${done}, for the Worker ${place.worker}`)
  return after
})

interface FoundSecrets {
  readonly store: { readonly names: ReadonlySet<string>; readonly values: ReadonlyMap<string, Redacted.Redacted> }
  /** Whether what is stored under a name is still good. */
  readonly keeps: (name: string) => boolean
  readonly found: Readonly<Record<string, Redacted.Redacted | undefined>>
}

/** The secrets that are not stored as they were found, and keys for signing where there are none. */
const secretsToStore = Effect.fnUntraced(function* ({ found, keeps, store }: FoundSecrets) {
  const differing = Object.entries(found).flatMap(([name, value]) => {
    if (value === undefined) return []
    const held = store.values.get(name)
    // A client secret comes along only where it has to be stored.
    const kept = keeps(name) && name !== "CLERK_CLIENT_SECRET"
    return kept && (held === undefined || Redacted.value(held) === Redacted.value(value))
      ? []
      : [[name, value] as const]
  })
  const secrets: Secrets = Object.fromEntries(differing)
  return store.names.has("STATE_SIGNING_KEYS") ? secrets : { ...secrets, STATE_SIGNING_KEYS: yield* newSigningKeys }
})

/** Writes variables into `wrangler.jsonc`, and on a laptop also where `.dev.vars` has them. */
const writeSettings = Effect.fnUntraced(function* (
  settings: Readonly<Record<string, string>>,
  text: string,
  path: ReadonlyArray<string>,
  local: { readonly file: string; readonly entries: Readonly<Record<string, string>> } | undefined
) {
  if (local !== undefined) {
    // What stands in that file counts, even if it is empty.
    const there = Object.entries(settings).filter(([setting]) => setting in local.entries)
    yield* writeLocal(local.file, Object.fromEntries(there))
  }
  const after = Object.entries(settings).reduce(
    (made, [setting, value]) => setJsonc(made, [...path, "vars", setting], value),
    text
  )
  return yield* writeText(configFile, after)
})

/**
 * From a Clerk secret key and a Cloudflare login to an environment that can be deployed. Every step looks first at what
 * is there, so that a second run changes nothing and one that was cut off goes on. What names the OAuth application in
 * `wrangler.jsonc` is written last: once it stands there, the secret that belongs to it is stored.
 */
export const setup = Effect.fnUntraced(function* ({ env, replaceSecrets, yes }: SetupOptions) {
  const file = yield* readConfigFile
  const name = yield* Answers.environmentName(env, yes, Object.keys(environmentsOf(file.config)))
  const isLocal = name === "local"
  const given = yield* Answers.given
  const local = isLocal ? yield* readLocal : undefined

  const { place, text } = yield* prepared(file, name)
  const setting = settingsOf(place.block, local?.entries ?? {})
  const { apiUrl, ofStandIn } = yield* Answers.backendAddress(given.apiUrl ?? setting("CLERK_API_URL"))
  const ownKey = local?.entries["CLERK_SECRET_KEY"]
  const key = yield* Answers.secretKey(given.secretKey ?? (ownKey ? Redacted.make(ownKey) : undefined), yes)
  yield* checkKeyFormat(key)
  const clerk = yield* clerkBackend(apiUrl, key)
  const instance = yield* readInstance(clerk)
  yield* report(
    "Clerk",
    `the key is for the ${instance.production ? "production" : "development"} instance at ${instance.frontendApi}`
  )
  for (const words of notes({ environment: name, instance })) yield* note(words)

  const publicUrl = yield* Answers.publicAddress(given.publicUrl ?? setting("PUBLIC_URL"), yes, place.worker)
  const { appUrl, mode } = yield* Answers.signInMode(
    given.signIn ?? setting("SIGN_IN"),
    given.appUrl ?? setting("APP_URL"),
    yes
  )
  const bound = isLocal ? text : yield* withNamespace(text, place)
  if (isLocal) yield* report("Cloudflare", "nothing to do: everything runs on this machine")

  const store = yield* secretStore(name, place.flag)
  // Of another instance, everything that is stored is of no use.
  const moved = (setting("CLERK_FRONTEND_API")?.replace(/\/$/u, "") ?? instance.frontendApi) !== instance.frontendApi
  const keeps = (secret: string) => store.names.has(secret) && !moved && !replaceSecrets
  const application =
    mode === "app"
      ? undefined
      : yield* ensureApplication(clerk, {
          name: place.worker,
          clientId: moved ? undefined : setting("CLERK_CLIENT_ID"),
          redirectUris: [`${publicUrl}/callback`],
          secretStored: keeps("CLERK_CLIENT_SECRET") && !store.unfinished.there,
          secretGiven: given.clientSecret,
          mayRotate: replaceSecrets || store.unfinished.there,
          beforeSecret: store.unfinished.leave
        })
  yield* report("OAuth application", application?.done ?? "none: people sign in through the app")

  const webhookSecret = yield* Answers.webhookSecret(given.webhookSecret, keeps("CLERK_WEBHOOK_SECRET"), yes)
  const secrets = yield* secretsToStore({
    store,
    keeps,
    found: { CLERK_SECRET_KEY: key, CLERK_CLIENT_SECRET: application?.secret, CLERK_WEBHOOK_SECRET: webhookSecret }
  })
  const names = Object.keys(secrets)
  if (names.length > 0) yield* store.store(secrets)
  yield* report(
    "Secrets",
    names.length > 0 ? `stored in ${store.place}: ${names.join(", ")}` : `all are in ${store.place}`
  )

  const settings: Readonly<Record<string, string>> = {
    PUBLIC_URL: publicUrl,
    SIGN_IN: mode,
    CLERK_FRONTEND_API: instance.frontendApi,
    ...(appUrl !== undefined && { APP_URL: appUrl }),
    ...(ofStandIn !== undefined && { CLERK_API_URL: ofStandIn }),
    ...(application && { CLERK_CLIENT_ID: application.clientId })
  }
  const written = yield* writeSettings(settings, bound, place.path, local)
  yield* store.unfinished.remove
  yield* report(
    "Settings",
    written ? `written into ${configFile}: ${Object.keys(settings).join(", ")}` : `are in ${configFile}`
  )

  const left = leftToDo({
    environment: name,
    flag: place.flag,
    publicUrl,
    appUrl,
    jwtTemplate: setting("CLERK_JWT_TEMPLATE") ?? "",
    webhooks: (store.names.has("CLERK_WEBHOOK_SECRET") && !moved) || "CLERK_WEBHOOK_SECRET" in secrets,
    instance
  })
  yield* Console.log("\nLeft to do:")
  for (const [what, ...words] of left) yield* Console.log(`\n  ${what}\n    ${words.join("\n    ")}`)
})
