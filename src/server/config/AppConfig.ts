import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { ConfigurationError, type Declared, decodeFields, present } from "./ConfigurationError.ts"
import type { SettingsClass } from "./Settings.ts"
import { SigningKeys } from "./SigningKeys.ts"

/** Whether a host name means this machine (RFC 8252, section 7.3). */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(hostname)

/** An origin without a path: https, or http on a loopback host for work on a laptop. */
export const Origin = Schema.URLFromString.check(
  Schema.makeFilter(
    (url: URL) =>
      (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) &&
      url.href === `${url.origin}/`
  )
)

const Secret = Schema.RedactedFromValue(Schema.NonEmptyString)

/** What Svix, which sends Clerk's webhooks, signs them with: 18 bytes or more, in base64. */
const WebhookSecret = Schema.RedactedFromValue(
  Schema.String.check(Schema.isPattern(/^whsec_(?:[A-Za-z0-9+/]{4}){6,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u))
)

/** It becomes part of an address of the Backend API. */
const TemplateName = Schema.String.check(Schema.isPattern(/^[\w-]{1,64}$/u))

const HostNames = Schema.String.check(Schema.isPattern(/^[a-z0-9.-]+(?:\s*,\s*[a-z0-9.-]+)*$/u))

const whole = (minimum: number, maximum: number) =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum }))

/** Whether grants are for organizations: where there is one, always, never. */
const Organizations = Schema.Literals(["optional", "required", "off"])

const Hours = Schema.FiniteFromString.check(Schema.isBetween({ minimum: 1, maximum: 720 }))

const KvNamespace = Schema.declare(
  (value: unknown): value is KVNamespace =>
    Predicate.isObject(value) &&
    ["get", "put", "delete", "list"].every((method) => Predicate.hasProperty(value, method))
)

const ObjectNamespace = Schema.declare((value: unknown): value is DurableObjectNamespace =>
  Predicate.hasProperty(value, "getByName")
)

const RateLimitBinding = Schema.declare((value: unknown): value is RateLimit => Predicate.hasProperty(value, "limit"))

/** A rate limit of Cloudflare's. Without it what it is for has no limit. */
const rateLimit = (what: string) =>
  Schema.optionalKey(RateLimitBinding).annotate({ description: `the rate limit binding for ${what}` })

const AppUrl = Origin.annotate({
  description: "the address of your own app, which signs people in and whose API tools call, without a path"
})

const HttpAddress = Schema.URLFromString.check(
  Schema.makeFilter((url: URL) => ["https:", "http:"].includes(url.protocol) && url.search === "")
)

const signInModes = { description: "how people sign in: clerk, or app" }

const clientHosts = {
  description:
    "the hosts of the clients that may connect, comma-separated, for CLIENT_REGISTRATION hosts; localhost stands for every loopback host"
}

/** Settings and bindings, under the names they have in `wrangler.jsonc`, `.dev.vars` and the README. */
const common = {
  PUBLIC_URL: Origin.annotate({
    description: "the address people connect to, without a path, such as https://mcp.example.com"
  }),
  CLERK_FRONTEND_API: Origin.annotate({
    description: "the Frontend API of your Clerk instance, such as https://clerk.example.com"
  }),
  CLERK_SECRET_KEY: Schema.RedactedFromValue(Schema.String.check(Schema.isPattern(/^sk_./u))).annotate({
    description: "the secret key of your Clerk instance, which starts with sk_"
  }),
  CLERK_WEBHOOK_SECRET: Schema.optionalKey(WebhookSecret).annotate({
    description: "the signing secret of the webhook endpoint in your Clerk dashboard, which starts with whsec_"
  }),
  CLERK_API_URL: Schema.optionalKey(Origin).annotate({
    description: "the Backend API to call instead of Clerk’s own; for the local stand-in only"
  }),
  CLERK_JWT_TEMPLATE: Schema.optionalKey(TemplateName).annotate({
    description: "the Clerk JWT template of the tokens for your app’s API; plain session tokens unless it is set"
  }),
  ORGANIZATIONS: Schema.optionalKey(Organizations).annotate({
    description:
      "whom connections are for: optional (an organization, or the personal account of who is in none), required (an organization), off (the personal account); optional unless it is set"
  }),
  STATE_SIGNING_KEYS: SigningKeys.annotate({
    description: "one or more id:base64 entries, comma-separated, each of 32 bytes or more; the first one signs"
  }),
  ALLOWED_ORIGINS: Schema.optionalKey(HostNames).annotate({
    description: "host names of further web pages whose scripts may call the server, comma-separated"
  }),
  OAUTH_KV: KvNamespace.annotate({
    description: "the KV namespace that holds OAuth clients and what a sign-in needs on its way"
  }),
  ACCOUNT_AGENT: ObjectNamespace.annotate({
    description:
      "the Durable Object namespace of the class AccountObject, which holds the grants, tokens and sessions of each user"
  }),
  SESSION_IDLE_HOURS: Schema.optionalKey(Hours).annotate({
    description: "after how many hours without a request a session ends, from 1 to 720; 24 unless it is set"
  }),
  ACCESS_TOKEN_MINUTES: Schema.optionalKey(whole(5, 1_440)).annotate({
    description: "how many minutes an access token is good, from 5 to 1440; 60 unless it is set"
  }),
  REFRESH_TOKEN_DAYS: Schema.optionalKey(whole(1, 365)).annotate({
    description: "after how many days without use a connection ends, from 1 to 365; 30 unless it is set"
  }),
  REFRESH_GRACE_SECONDS: Schema.optionalKey(whole(0, 3_600)).annotate({
    description: "for how many seconds a refresh that is sent again is answered as the first time; 60 unless it is set"
  }),
  CLIENT_REGISTRATION: Schema.optionalKey(Schema.Literals(["open", "published", "hosts"])).annotate({
    description:
      "which clients may connect: open (any), published (those with a client metadata document), or hosts (those on the hosts of CLIENT_HOSTS); open unless it is set"
  }),
  CLIENT_HOSTS: Schema.optionalKey(HostNames).annotate(clientHosts),
  PRIVATE_USE_REDIRECTS: Schema.optionalKey(Schema.Literals(["allow", "refuse"])).annotate({
    description:
      "whether a client may have redirect URIs with an app’s own scheme, such as cursor://: allow, or refuse; allow unless it is set"
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Schema.optionalKey(HttpAddress).annotate({
    description: "the base address of an OpenTelemetry collector (OTLP over HTTP); nothing is exported unless it is set"
  }),
  OTEL_EXPORTER_OTLP_HEADERS: Schema.optionalKey(Secret).annotate({
    description: "headers for the collector, as name=value, comma-separated, values percent-encoded"
  }),
  OTEL_SERVICE_NAME: Schema.optionalKey(Schema.String).annotate({
    description: "the service as the collector knows it; the name of the server unless it is set"
  }),
  RATE_LIMIT_REGISTER: rateLimit("registrations, by address"),
  RATE_LIMIT_AUTHORIZE: rateLimit("pages of a sign-in, by address"),
  RATE_LIMIT_TOKEN: rateLimit("token requests and unknown access tokens, by address"),
  RATE_LIMIT_WEBHOOK: rateLimit("webhooks, by address"),
  RATE_LIMIT_USER: rateLimit("requests of /mcp and /sse, by user")
}

/** People sign in with the OAuth application of a Clerk instance. */
const SignInWithClerk = Schema.Struct({
  SIGN_IN: Schema.Literal("clerk").annotate(signInModes),
  ...common,
  CLERK_CLIENT_ID: Schema.NonEmptyString.annotate({ description: "the client id of your Clerk OAuth application" }),
  CLERK_CLIENT_SECRET: Secret.annotate({ description: "the client secret of your Clerk OAuth application" }),
  APP_URL: Schema.optionalKey(AppUrl)
})

/** People sign in through an app of the team, where they have a session of Clerk's. */
const SignInWithApp = Schema.Struct({
  SIGN_IN: Schema.Literal("app").annotate(signInModes),
  ...common,
  APP_URL: AppUrl
})

type Settings = typeof SignInWithClerk.Type | typeof SignInWithApp.Type

/** Where clients may connect by their hosts, these have to be named. */
const hostsNamed = { CLIENT_HOSTS: HostNames.annotate(clientHosts) }

interface Schemas {
  readonly otherwise: Declared<Settings>
  readonly byHosts: Declared<Settings>
}

const withClerk: Schemas = {
  otherwise: SignInWithClerk,
  byHosts: Schema.Struct({ ...SignInWithClerk.fields, ...hostsNamed })
}

const withApp: Schemas = {
  otherwise: SignInWithApp,
  byHosts: Schema.Struct({ ...SignInWithApp.fields, ...hostsNamed })
}

const decode = (env: Readonly<Record<string, unknown>>): Effect.Effect<Settings, ConfigurationError> => {
  const set = present(env)
  const schemas = set["SIGN_IN"] === "app" ? withApp : withClerk
  const schema = set["CLIENT_REGISTRATION"] === "hosts" ? schemas.byHosts : schemas.otherwise
  return decodeFields(set, schema)
}

/** The Worker's settings and bindings, decoded once. Secrets are `Redacted`. */
export class AppConfig extends Context.Service<AppConfig, Settings>()("config/AppConfig") {
  /** Decodes `env`. Fails with every missing or malformed setting at once; an empty value counts as missing. */
  static readonly decode: (
    env: Readonly<Record<string, unknown>>
  ) => Effect.Effect<AppConfig["Service"], ConfigurationError> = decode

  /** Decodes `env` as the server's settings and as those of a team's own. Fails with the faults of all at once. */
  static readonly decodeWith = (
    env: Readonly<Record<string, unknown>>,
    own: ReadonlyArray<SettingsClass<never>>
  ): Effect.Effect<
    { readonly config: AppConfig["Service"]; readonly own: Context.Context<never> },
    ConfigurationError
  > =>
    Effect.gen(function* () {
      const server = yield* Effect.result(decode(env))
      const team = yield* Effect.forEach(own, (settings) => Effect.result(settings.fromEnv(env)))
      const problems = [problemsOf(server), ...team.map(problemsOf)].flat()
      if (Result.isFailure(server) || problems.length > 0) {
        const named = new Map(problems.map((problem) => [problem.name, problem]))
        return yield* new ConfigurationError({ problems: [...named.values()] })
      }
      const contexts = team.flatMap((result) => (Result.isSuccess(result) ? [result.success] : []))
      return { config: server.success, own: Context.mergeAll(...contexts) }
    })
}

const problemsOf = (result: Result.Result<unknown, ConfigurationError>) =>
  Result.isFailure(result) ? result.failure.problems : []
