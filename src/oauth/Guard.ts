import {
  insufficientScope,
  type OAuthAuthorizationServer,
  OAuthResourceServer
} from "@cloudflare/workers-oauth-provider"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { Identity, type Subject } from "../domain/Identity.ts"
import * as Scope from "../domain/Scope.ts"
import * as Incident from "../observability/Incident.ts"
import type { ProviderEnv } from "./Provider.ts"
import { address, type Resource } from "./Resource.ts"
import { makeStanding } from "./Standing.ts"

/** Handed along with each request: what to do once its token was found good. */
interface GuardEnv extends ProviderEnv {
  readonly serve: (identity: Identity) => Promise<Response>
}

const decodeIdentity = Schema.decodeUnknownEffect(Identity)

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

  const stands = ({ userId, grantId, sessionId }: Identity, env: GuardEnv) =>
    standing({ userId, ...(sessionId !== undefined && { sessionId }) }).pipe(
      Effect.as(true),
      Effect.catchTag("SessionEnded", () =>
        Effect.as(
          Effect.promise(() => provider.getOAuthApi(env).revokeGrant(grantId, userId)),
          false
        )
      ),
      // The library answers 503 to what it is thrown.
      Effect.catchTag("SessionUnknown", (unknown) => Effect.die(unknown)),
      Effect.catchReasons("AccessError", {
        AccountClosed: () => Effect.succeed(false),
        // Not known to be closed: the call itself is refused later, with a reason that a person can read.
        AccessUnknown: () => Effect.succeed(true)
      })
    )

  const validate = Effect.fnUntraced(
    function* (env: GuardEnv, audience: string, token: string) {
      const valid = yield* Effect.promise(() => provider.validateToken<Subject>(audience, token, env))
      if (valid === null) return null
      // The library writes access tokens as `user:grant:secret`.
      const [, grantId] = token.split(":")
      const identity = yield* Effect.orDie(
        decodeIdentity({ ...valid.props, grantId, clientId: valid.clientId, scopes: valid.scope })
      )
      return (yield* stands(identity, env)) ? { ...valid, props: identity } : null
      // The library answers 503 to whatever it is thrown here, and tells nobody.
    },
    Effect.tapCause((cause) => Incident.report("An access token could not be checked", cause))
  )

  return new OAuthResourceServer<GuardEnv, Identity>({
    resourceMetadata: { resource: address(publicUrl, resource), authorization_servers: [publicUrl.origin] },
    requiredScopes: [Scope.baseline],
    validateToken: (env) => (audience, token) => run(validate(env, audience, token)),
    handler: {
      fetch: (_request, env, { auth, props }) =>
        auth.scope.includes(Scope.baseline) ? env.serve(props) : insufficientScope(auth, [Scope.baseline])
    }
  })
})
