import * as Effect from "effect/Effect"
import type * as PlatformError from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { wrangler, type WranglerFailed } from "../wrangler/Wrangler.ts"
import { Stopped } from "../Stopped.ts"

const Namespaces = Schema.fromJsonString(Schema.Array(Schema.Struct({ id: Schema.String, title: Schema.String })))
const decodeNamespaces = Schema.decodeUnknownEffect(Namespaces)

const Secrets = Schema.fromJsonString(Schema.Array(Schema.Struct({ name: Schema.String })))
const decodeSecrets = Schema.decodeUnknownEffect(Secrets)

const nextFor = (said: string): string => {
  if (/more than one account/iu.test(said)) {
    return 'say which account, by CLOUDFLARE_ACCOUNT_ID in the environment or "account_id" in wrangler.jsonc, and run setup again.'
  }
  if (/authenticat|credentials|api token|not logged in|10000|9109/iu.test(said)) {
    return "run npx wrangler login, or set CLOUDFLARE_API_TOKEN to a token that may edit Workers scripts and KV, and run setup again."
  }
  if (/fetch failed|fetch request failed|connectivity/iu.test(said)) {
    return "look whether this machine is online, or behind a proxy, and at https://www.cloudflarestatus.com; then run setup again: it goes on where it stopped."
  }
  return "mend what wrangler names, and run setup again: it goes on where it stopped."
}

const failed = (failure: WranglerFailed | PlatformError.PlatformError | Schema.SchemaError): Stopped => {
  switch (failure._tag) {
    case "WranglerFailed":
      return new Stopped({ problem: failure.message, next: nextFor(failure.output) })
    case "PlatformError":
      return new Stopped({
        problem: "wrangler cannot be started.",
        next: "run npm install in this folder, and then npm run setup."
      })
    case "SchemaError":
      return new Stopped({
        problem: "wrangler lists something else than it did when this was written.",
        next: "install the version of wrangler that package.json names, and run setup again."
      })
  }
}

const namespaces = Effect.flatMap(wrangler(["kv", "namespace", "list", "--env="]), decodeNamespaces)

/**
 * The id of the KV namespace: the one in the settings if the account has it, else the one of this title, made where there
 * is none.
 */
export const ensureNamespace = (title: string, known: string | undefined) =>
  Effect.gen(function* () {
    const present = yield* Effect.mapError(namespaces, failed)
    if (known !== undefined) {
      if (present.some(({ id }) => id === known)) return { id: known, done: "the KV namespace is there" }
      return yield* new Stopped({
        problem: `wrangler.jsonc names the KV namespace ${known}, which this Cloudflare account does not have.`,
        next: "log in to the account that has it (npx wrangler login), or remove the id from wrangler.jsonc, and run setup again."
      })
    }
    const found = present.find((one) => one.title === title)
    if (found !== undefined) return { id: found.id, done: `the KV namespace ${title} was there` }
    yield* Effect.mapError(wrangler(["kv", "namespace", "create", title, "--env="]), failed)
    const made = (yield* Effect.mapError(namespaces, failed)).find((one) => one.title === title)
    if (made !== undefined) return { id: made.id, done: `the KV namespace ${title} made` }
    return yield* new Stopped({
      problem: `The KV namespace ${title} was made and is not listed yet.`,
      next: "run setup again in a minute: it goes on where it stopped."
    })
  })

/** The names of the secrets that a Worker has. One that does not exist yet has none. */
export const secretNames = (flag: string) =>
  wrangler(["secret", "list", `--env=${flag}`, "--format=json"]).pipe(
    Effect.catchTag("WranglerFailed", (failure) =>
      /not found|does not exist/iu.test(failure.output) ? Effect.succeed("[]") : Effect.fail(failure)
    ),
    Effect.flatMap(decodeSecrets),
    Effect.map((secrets) => secrets.map(({ name }) => name)),
    Effect.mapError(failed)
  )

/** Stores secrets, all at once. They go through a pipe: neither a file nor a list of processes shows them. */
export const storeSecrets = (flag: string, secrets: Readonly<Record<string, Redacted.Redacted>>) =>
  wrangler(
    ["secret", "bulk", `--env=${flag}`],
    JSON.stringify(Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, Redacted.value(value)])))
  ).pipe(Effect.mapError(failed), Effect.asVoid)
