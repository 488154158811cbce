import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { UserGrants, GrantsUnavailable } from "../capability/UserGrants.ts"
import type { AuthorizationFailure } from "./AuthorizationFailure.ts"
import { AuthorizationServer } from "./AuthorizationServer.ts"

const unavailable = Effect.fnUntraced(function* (cause: AuthorizationFailure) {
  yield* Effect.logWarning("Grants cannot be reached").pipe(Effect.annotateLogs({ reason: cause.reason._tag }))
  return yield* new GrantsUnavailable({ cause })
})

/** A user's connections are the grants of the authorization server. */
export const layer = Layer.effect(
  UserGrants,
  Effect.map(AuthorizationServer, (server) =>
    UserGrants.of({
      list: (userId) => server.grants(userId).pipe(Effect.catchTag("AuthorizationFailure", unavailable)),
      end: (userId, id) => server.revoke(userId, id).pipe(Effect.catchTag("AuthorizationFailure", unavailable))
    })
  )
)
