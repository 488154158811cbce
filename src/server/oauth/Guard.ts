import {
  insufficientScope,
  type OAuthAuthorizationServer,
  OAuthResourceServer
} from "@cloudflare/workers-oauth-provider"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { ClientId, Principal, type GrantProps, UserId } from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"
import type { ProviderEnv } from "./Provider.ts"
import { address, type Resource } from "./Resource.ts"
import { makeStanding } from "./Standing.ts"

/** Handed along with each request: what to do once its token was found good. */
interface GuardEnv extends ProviderEnv {
  readonly serve: (principal: Principal) => Promise<Response>
}

const decodePrincipal = Schema.decodeUnknownEffect(Principal)

/** What the library keeps of an access token, as far as it tells why the token is refused. Times are in seconds. */
const decodeRecord = Schema.decodeUnknownOption(
  Schema.Struct({ userId: UserId, expiresAt: Schema.Finite, grant: Schema.Struct({ clientId: ClientId }) })
)

/** Tokens that nobody was given can be sent by anybody: their lines are bounded, a minute and an isolate. */
const mostStrangers = 30

/**
 * Guards one resource: its metadata (RFC 9728), bearer tokens and their challenges (RFC 6750), the baseline scope, and
 * grants that no longer stand, whose tokens count as invalid. A grant whose session has ended is revoked.
 */
export const makeGuard = Effect.fnUntraced(function* (
  provider: OAuthAuthorizationServer<ProviderEnv>,
  resource: Resource
) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const standing = yield* makeStanding
  const run = Effect.runPromiseWith(yield* Effect.context())
  const bounded = Log.bounded(mostStrangers)

  const refused = (reason: string, known: Partial<Pick<Principal, "userId" | "clientId">> = {}) =>
    Effect.annotateLogs(Effect.logInfo("An access token was refused"), { reason, resource, ...known })

  /** What can be said of a token without a record: one that expired is gone from the store, and its grant is not. */
  const tellStranger = Effect.fnUntraced(function* ({ OAUTH_KV: kv }: GuardEnv, token: string) {
    const parts = token.split(":")
    if (parts.length !== 3) return yield* refused("malformed")
    const grant = yield* Effect.promise(() => kv.get(`grant:${parts[0]}:${parts[1]}`, { type: "json" }))
    const connection = grant === null ? "was ended, or never was" : "stands"
    yield* refused(`unknown, of a connection that ${connection}`)
  })

  /** Logs why the library refuses a token, from the record that it found. */
  const tell = (env: GuardEnv, token: string, found: unknown) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const record = Option.getOrUndefined(decodeRecord(found))
      if (record === undefined) return bounded(tellStranger(env, token))
      const { userId, expiresAt, grant } = record
      return refused(expiresAt * 1_000 <= now ? "expired" : "made for another resource", { userId, ...grant })
    })

  const stands = ({ userId, grantId, sessionId, clientId }: Principal, env: GuardEnv) =>
    standing({ userId, ...(sessionId !== undefined && { sessionId }) }).pipe(
      Effect.as(true),
      Effect.catchTag("ClerkSessionEnded", () =>
        Effect.promise(() => provider.getOAuthApi(env).revokeGrant(grantId, userId)).pipe(
          Effect.andThen(refused("session ended", { userId, clientId })),
          Effect.as(false)
        )
      ),
      // The library answers 503 to what it is thrown.
      Effect.catchTag("ClerkSessionUnknown", (unknown) => Effect.die(unknown)),
      Effect.catchReasons("AccessError", {
        AccountClosed: () => Effect.as(refused("account closed", { userId, clientId }), false),
        // Not known to be closed: the call itself is refused later, with a reason that a person can read.
        AccessUnknown: () => Effect.succeed(true)
      })
    )

  const validate = Effect.fnUntraced(
    function* (env: GuardEnv, audience: string, token: string) {
      const { OAUTH_KV: kv } = env
      let found: unknown
      // The library reads the record of the token, and nothing else, and does not say why it is not convinced.
      const get: typeof kv.get = async (...asked) => (found = await kv.get(...asked))
      const watched = { ...env, OAUTH_KV: { ...kv, get } }
      const valid = yield* Effect.promise(() => provider.validateToken<GrantProps>(audience, token, watched))
      if (valid === null) return yield* Effect.as(Effect.ignoreCause(tell(env, token, found)), null)
      // The library writes access tokens as `user:grant:secret`.
      const [, grantId] = token.split(":")
      const principal = yield* Effect.orDie(
        decodePrincipal({ ...valid.props, grantId, clientId: valid.clientId, scopes: valid.scope })
      )
      return (yield* stands(principal, env)) ? { ...valid, props: principal } : null
      // The library answers 503 to whatever it is thrown here, and tells nobody.
    },
    Effect.tapCause((cause) => Incident.report("An access token could not be checked", cause))
  )

  return new OAuthResourceServer<GuardEnv, Principal>({
    resourceMetadata: { resource: address(publicUrl, resource), authorization_servers: [publicUrl.origin] },
    requiredScopes: [Scope.baseline],
    validateToken: (env) => (audience, token) => run(validate(env, audience, token)),
    handler: {
      fetch: (_request, env, { auth, props }) =>
        auth.scope.includes(Scope.baseline) ? env.serve(props) : insufficientScope(auth, [Scope.baseline])
    }
  })
})
