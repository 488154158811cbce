import * as Prompt from "effect/cli/Prompt"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { isLoopback, Origin } from "../../src/server/config/AppConfig.ts"
import { clerkApi, dashboard } from "./ClerkBackend.ts"
import { Stopped } from "../Stopped.ts"

/** A variable of the environment that setup runs in; an empty one counts as none. */
const variable = (name: string) =>
  Config.String(name).pipe(
    Config.option,
    Effect.map((value) => Option.getOrUndefined(Option.filter(value, (text) => text !== ""))),
    Effect.orElseSucceed(() => undefined)
  )

const secretVariable = (name: string) =>
  Config.Redacted(name).pipe(
    Config.option,
    Effect.map(Option.getOrUndefined),
    Effect.orElseSucceed(() => undefined)
  )

/** What the environment that setup runs in says. */
export const given = Effect.all({
  publicUrl: variable("PUBLIC_URL"),
  signIn: variable("SIGN_IN"),
  appUrl: variable("APP_URL"),
  apiUrl: variable("CLERK_API_URL"),
  secretKey: secretVariable("CLERK_SECRET_KEY"),
  clientSecret: secretVariable("CLERK_CLIENT_SECRET"),
  webhookSecret: secretVariable("CLERK_WEBHOOK_SECRET")
})

const prompted = <A>(prompt: Prompt.Prompt<A>) =>
  Effect.mapError(
    Prompt.run(prompt),
    () => new Stopped({ problem: "Setup was left.", next: "run it again: it goes on where it stopped." })
  )

/** Asks a person, if one is there to be asked; what is missing is a failure otherwise. */
const ask = Effect.fnUntraced(function* <A>(yes: boolean, prompt: Prompt.Prompt<A>, missing: Stopped) {
  const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
  if (yes || !canPrompt) return yield* missing
  return yield* prompted(prompt)
})

const isName = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/u

const badName = (name: string) =>
  new Stopped({
    problem: `"${name}" cannot be the name of an environment.`,
    next: "choose at most 32 lowercase letters, digits and dashes, such as staging."
  })

/** Which environment to set up. */
export const environmentName = Effect.fnUntraced(function* (
  flag: Option.Option<string>,
  yes: boolean,
  present: ReadonlyArray<string>
) {
  const known = [...new Set(["local", "staging", "production", ...present])]
  const name = Option.isSome(flag)
    ? flag.value
    : yield* ask(
        yes,
        Prompt.Select({
          message: "Which environment?",
          choices: [...known.map((value) => ({ title: value, value })), { title: "another one", value: "" }]
        }).pipe(
          Prompt.flatMap((chosen) => (chosen === "" ? Prompt.String({ message: "Its name" }) : Prompt.succeed(chosen)))
        ),
        new Stopped({
          problem: "Which environment to set up was not said.",
          next: `add --env with one of ${known.join(", ")}, or a name of your own.`
        })
      )
  return isName.test(name) ? name : yield* badName(name)
})

const decodeOrigin = Schema.decodeUnknownOption(Origin)

const origin = Effect.fnUntraced(function* (name: string, text: string) {
  const decoded = decodeOrigin(text)
  if (Option.isSome(decoded)) return decoded.value.origin
  return yield* new Stopped({
    problem: `${name} is "${text}", which is no address without a path that starts with https:// (or http:// and localhost).`,
    next: `give ${name} as an address such as https://mcp.example.com and run setup again.`
  })
})

/** The Backend API to call, and whether it is another one than Clerk's own. */
export const backendAddress = Effect.fnUntraced(function* (text: string | undefined) {
  if (text === undefined || text === clerkApi) return { apiUrl: clerkApi, ofStandIn: undefined }
  const apiUrl = yield* origin("CLERK_API_URL", text)
  // The secret key goes there.
  if (isLoopback(new URL(apiUrl).hostname)) return { apiUrl, ofStandIn: apiUrl }
  return yield* new Stopped({
    problem: `CLERK_API_URL is ${apiUrl}, to which the secret key would be sent. It is for a stand-in on this machine only.`,
    next: "unset CLERK_API_URL, in the environment or in wrangler.jsonc, and run setup again."
  })
})

/** The address at which people reach the server of the environment. */
export const publicAddress = Effect.fnUntraced(function* (set: string | undefined, yes: boolean, worker: string) {
  const text =
    set ??
    (yield* ask(
      yes,
      Prompt.String({
        message: `Its address: https://${worker}.YOUR-SUBDOMAIN.workers.dev, or a domain of yours`
      }),
      new Stopped({
        problem: "The address of the server is not known.",
        next: `set PUBLIC_URL in the environment, such as https://${worker}.YOUR-SUBDOMAIN.workers.dev (the dashboard shows your subdomain under Workers), and run setup again.`
      })
    ))
  return yield* origin("PUBLIC_URL", text.trim().replace(/\/$/u, ""))
})

/** How people sign in, and the address of the app where they do so there. */
export const signInMode = Effect.fnUntraced(function* (
  set: string | undefined,
  appUrl: string | undefined,
  yes: boolean
) {
  const mode = set ?? "clerk"
  if (mode !== "clerk" && mode !== "app") {
    return yield* new Stopped({
      problem: `SIGN_IN is "${mode}".`,
      next: "set it to clerk (people sign in with Clerk) or app (in an app of yours) and run setup again."
    })
  }
  if (mode === "clerk" && appUrl === undefined) return { mode, appUrl }
  const address =
    appUrl ??
    (yield* ask(
      yes,
      Prompt.String({ message: "The address of your app, which signs people in" }),
      new Stopped({
        problem: "SIGN_IN is app, and the address of the app is not known.",
        next: "set APP_URL in the environment, such as https://app.example.com, and run setup again."
      })
    ))
  return { mode, appUrl: yield* origin("APP_URL", address) }
})

/** The secret key of the Clerk instance. */
export const secretKey = (set: Redacted.Redacted | undefined, yes: boolean) =>
  set === undefined
    ? ask(
        yes,
        Prompt.Password({ message: `Clerk secret key (${dashboard("api-keys")})` }),
        new Stopped({
          problem: "The secret key of the Clerk instance is not known.",
          next: `set CLERK_SECRET_KEY in the environment to the secret key from ${dashboard("api-keys")} and run setup again.`
        })
      )
    : Effect.succeed(set)

const isWebhookSecret = Schema.is(Schema.String.check(Schema.isPattern(/^whsec_[A-Za-z0-9+/=]{24,}$/u)))

/** The signing secret of Clerk's webhooks, if there is one: it can be had once the endpoint is there. */
export const webhookSecret = Effect.fnUntraced(function* (
  set: Redacted.Redacted | undefined,
  stored: boolean,
  yes: boolean
) {
  const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
  const asked = set === undefined && !stored && !yes && canPrompt
  const secret = asked
    ? yield* prompted(Prompt.Password({ message: "Signing secret of Clerk's webhooks (Enter if there is none yet)" }))
    : set
  if (secret === undefined || Redacted.value(secret) === "") return undefined
  if (isWebhookSecret(Redacted.value(secret))) return secret
  return yield* new Stopped({
    problem: "This is no signing secret of Clerk's webhooks: those start with whsec_.",
    next: `copy it from the page of the endpoint at ${dashboard("webhooks")} and run setup again.`
  })
})
