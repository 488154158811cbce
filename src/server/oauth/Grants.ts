import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { GrantsUnavailable, UserGrants } from "../capability/UserGrants.ts"
import { type ClientId, type GrantId, GrantProps, type UserId } from "../domain/Principal.ts"
import { isAddress } from "./ClientDocument.ts"
import { AuthorizationFailure, type StorageUnavailable } from "./AuthorizationFailure.ts"
import { attempt, type AuthRequest, OAuthLibrary } from "./OAuthLibrary.ts"
import { type Grant, type GrantMetadata, UserAuthorities } from "./UserAuthorities.ts"
import * as Telemetry from "../observability/Telemetry.ts"

const unreached = (reason: StorageUnavailable) => new AuthorizationFailure({ reason })

const encodeProps = Schema.encodeEffect(GrantProps)

/** The grants of the authorization server. */
export class Grants extends Context.Service<
  Grants,
  {
    /** All grants of a user. */
    readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<Grant>, AuthorizationFailure>
    /** Ends a grant of a user: its tokens, and what is open under it. One that is gone already counts as ended. */
    readonly end: (userId: UserId, grantId: GrantId) => Effect.Effect<void, AuthorizationFailure>
    /** The name that a client gave itself; none if it gave none, or has none here. Nothing is fetched for it. */
    readonly clientName: (clientId: ClientId) => Effect.Effect<string | undefined, AuthorizationFailure>
    /** Makes a grant: the redirect that hands the client its code, with `state` and `iss` (RFC 9207). */
    readonly complete: (authRequest: AuthRequest, subject: GrantProps) => Effect.Effect<string, AuthorizationFailure>
  }
>()("oauth/Grants") {
  static readonly layer = Layer.effect(
    Grants,
    Effect.gen(function* () {
      const { forResource, helpers } = yield* OAuthLibrary
      const authorities = yield* UserAuthorities

      return Grants.of({
        list: Effect.fn("Grants.list")((userId) => Effect.mapError(authorities.of(userId).grants, unreached)),

        end: Effect.fn("Grants.end")((userId, grantId) =>
          Effect.mapError(authorities.of(userId).end(grantId), unreached)
        ),

        clientName: Effect.fnUntraced(function* (clientId) {
          if (isAddress(clientId)) return new URL(clientId).host
          const client = yield* attempt("lookupClient", () => helpers.lookupClient(clientId))
          return client?.clientName
        }),

        complete: Effect.fn("Grants.complete")(function* (authRequest, subject) {
          const { userId, clerkSessionId, organizationId } = subject
          const props = yield* Effect.orDie(encodeProps(subject))
          const metadata: GrantMetadata = {
            ...(clerkSessionId !== undefined && { clerkSessionId }),
            ...(organizationId !== undefined && { organizationId })
          }
          // The library writes the one resource of a checked request as a text.
          const resource = String(authRequest.resource)
          const granted = yield* attempt("completeAuthorization", () =>
            forResource(resource).helpers.completeAuthorization({
              request: authRequest,
              userId,
              metadata,
              scope: authRequest.scope,
              props,
              // A second machine of the same person does not sign the first one out.
              revokeExistingGrants: false
            })
          )
          yield* Telemetry.count("mcp.sign_ins", { outcome: "completed" })
          return granted.redirectTo
        })
      })
    })
  )
}

const unavailable = Effect.fnUntraced(function* (cause: AuthorizationFailure) {
  yield* Effect.logWarning("Grants cannot be reached").pipe(Effect.annotateLogs({ reason: cause.reason._tag }))
  return yield* new GrantsUnavailable({ cause })
})

/** The grants as tools see them. */
export const userGrants = Layer.effect(
  UserGrants,
  Effect.map(Grants, (grants) =>
    UserGrants.of({
      list: (userId) => grants.list(userId).pipe(Effect.catchTag("AuthorizationFailure", unavailable)),
      end: (userId, id) => grants.end(userId, id).pipe(Effect.catchTag("AuthorizationFailure", unavailable))
    })
  )
)
