import { insufficientScope, OAuthResourceServer } from "@cloudflare/workers-oauth-provider"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { ClientId, CurrentPrincipal, GrantId, GrantProps, type Principal, UserId } from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"
import { answerTo, makeGrantCheck } from "./GrantCheck.ts"
import { OAuthLibrary, type ProviderEnv } from "./OAuthLibrary.ts"
import { address, type Resource } from "./Resource.ts"

/** Handed along with each request: what to do once its token was found good. */
interface ResourceEnv extends ProviderEnv {
  readonly serve: (principal: Principal) => Promise<Response>
}

const decodeProps = Schema.decodeUnknownEffect(GrantProps)

/** What the library keeps of an access token, as far as it tells why the token is refused. Times are in seconds. */
const decodeRecord = Schema.decodeUnknownOption(
  Schema.Struct({ userId: UserId, expiresAt: Schema.Finite, grant: Schema.Struct({ clientId: ClientId }) })
)

/** Tokens that nobody was given can be sent by anybody: their lines are bounded, a minute and an isolate. */
const mostStrangers = 30

/**
 * One protected resource: its metadata (RFC 9728), bearer tokens and their challenges (RFC 6750), the baseline scope, and
 * grants that are refused, whose tokens count as invalid.
 */
const makeResource = Effect.fnUntraced(function* (resource: Resource) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const { provider, helpers } = yield* OAuthLibrary
  const check = yield* makeGrantCheck
  const run = Effect.runPromiseWith(yield* Effect.context())
  const bounded = Log.bounded(mostStrangers)

  const refused = (reason: string, known: Partial<Pick<Principal, "userId" | "clientId">> = {}) =>
    Effect.annotateLogs(Effect.logInfo("An access token was refused"), { reason, resource, ...known })

  /** What can be said of a token without a record: one that expired is gone from the store, and its grant is not. */
  const tellStranger = Effect.fnUntraced(function* ({ OAUTH_KV: kv }: ResourceEnv, token: string) {
    const parts = token.split(":")
    if (parts.length !== 3) return yield* refused("malformed")
    const grant = yield* Effect.promise(() => kv.get(`grant:${parts[0]}:${parts[1]}`, { type: "json" }))
    const connection = grant === null ? "was ended, or never was" : "stands"
    yield* refused(`unknown, of a connection that ${connection}`)
  })

  /** Logs why the library refuses a token, from the record that it found. */
  const tell = (env: ResourceEnv, token: string, found: unknown) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const record = Option.getOrUndefined(decodeRecord(found))
      if (record === undefined) return bounded(tellStranger(env, token))
      const { userId, expiresAt, grant } = record
      return refused(expiresAt * 1_000 <= now ? "expired" : "made for another resource", { userId, ...grant })
    })

  /** Whether a token of this principal counts, by the table of why a grant is refused. */
  const counts = (principal: Principal) => {
    const { userId, grantId, clientId } = principal
    return check(principal).pipe(
      Effect.as(true),
      Effect.catchTag("GrantRefused", (failure) => {
        const { bearer, log } = answerTo(failure.reason)
        if (bearer === "served") return Effect.succeed(true)
        // The library answers 503 to what it is thrown.
        if (bearer === "unavailable") return Effect.die(failure.reason)
        const end = bearer === "revoked" ? Effect.promise(() => helpers.revokeGrant(grantId, userId)) : Effect.void
        return Effect.as(Effect.andThen(end, refused(log, { userId, clientId })), false)
      })
    )
  }

  const validate = Effect.fnUntraced(
    function* (env: ResourceEnv, audience: string, token: string) {
      const { OAUTH_KV: kv } = env
      let found: unknown
      // The library reads the record of the token, and nothing else, and does not say why it is not convinced.
      const get: typeof kv.get = async (...asked) => (found = await kv.get(...asked))
      const watched = { ...env, OAUTH_KV: { ...kv, get } }
      const valid = yield* Effect.promise(() => provider.validateToken<unknown>(audience, token, watched))
      if (valid === null) return yield* Effect.as(Effect.ignoreCause(tell(env, token, found)), null)
      // The library writes access tokens as `user:grant:secret`.
      const [, grantId] = token.split(":")
      const grant = { grantId: GrantId.make(grantId ?? ""), clientId: ClientId.make(valid.clientId) }
      const principal = { ...(yield* Effect.orDie(decodeProps(valid.props))), ...grant, scopes: valid.scope }
      return (yield* counts(principal)) ? { ...valid, props: principal } : null
      // The library answers 503 to whatever it is thrown here, and tells nobody.
    },
    Effect.tapCause((cause) => Incident.report("An access token could not be checked", cause))
  )

  return new OAuthResourceServer<ResourceEnv, Principal>({
    resourceMetadata: { resource: address(publicUrl, resource), authorization_servers: [publicUrl.origin] },
    requiredScopes: [Scope.baseline],
    validateToken: (env) => (audience, token) => run(validate(env, audience, token)),
    handler: {
      fetch: (_request, env, { auth, props }) =>
        auth.scope.includes(Scope.baseline) ? env.serve(props) : insufficientScope(auth, [Scope.baseline])
    }
  })
})

/** The resource server: who sent a request, or the challenge for whoever has no good token. */
export class ResourceServer extends Context.Service<
  ResourceServer,
  {
    /** Answers with the metadata of a resource (RFC 9728), wherever it was asked for. */
    readonly metadata: (resource: Resource, request: Request) => Effect.Effect<Response>
    /**
     * Serves a request only with an access token for this resource that carries the baseline scope, and provides the
     * token's principal. Answers 401 and 403 with their challenges otherwise (RFC 6750, RFC 9728).
     */
    readonly serve: <R>(
      resource: Resource,
      request: Request,
      program: Effect.Effect<Response, never, R>
    ) => Effect.Effect<Response, never, Exclude<R, CurrentPrincipal>>
  }
>()("oauth/ResourceServer") {
  static readonly layer = Layer.effect(
    ResourceServer,
    Effect.gen(function* () {
      const { PUBLIC_URL: publicUrl } = yield* AppConfig
      const { env, freshContext } = yield* OAuthLibrary
      const resources = { "/mcp": yield* makeResource("/mcp"), "/sse": yield* makeResource("/sse") }

      return ResourceServer.of({
        metadata: (resource, request) => {
          const wellKnown = new URL(`/.well-known/oauth-protected-resource${resource}`, publicUrl)
          return Effect.promise(() =>
            resources[resource].fetch(new Request(wellKnown, request), { ...env, serve: nothing }, freshContext())
          )
        },

        serve: <R>(resource: Resource, request: Request, program: Effect.Effect<Response, never, R>) =>
          Effect.contextWith((context: Context.Context<Exclude<R, CurrentPrincipal>>) => {
            const serveAs = (principal: Principal) => Effect.provideService(program, CurrentPrincipal, principal)
            return Effect.promise((signal) =>
              resources[resource].fetch(
                request,
                { ...env, serve: (principal) => Effect.runPromiseWith(context)(serveAs(principal), { signal }) },
                freshContext()
              )
            )
          })
      })
    })
  )
}

const nothing = () => Promise.resolve(new Response(null, { status: 404 }))
