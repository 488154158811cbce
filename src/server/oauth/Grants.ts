import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { GrantsUnavailable, UserGrants } from "../capability/UserGrants.ts"
import { ClerkSessionId, ClientId, GrantId, GrantProps, OrganizationId, type UserId } from "../domain/Principal.ts"
import type { AuthorizationFailure } from "./AuthorizationFailure.ts"
import { attempt, type AuthRequest, OAuthLibrary } from "./OAuthLibrary.ts"

/** What one person gave one client. */
export interface Grant {
  readonly id: GrantId
  readonly clientId: ClientId
  readonly scopes: ReadonlyArray<string>
  /** None if it is for the personal account. */
  readonly organizationId?: OrganizationId
  /** In seconds since 1970. */
  readonly createdAt: number
}

/** What is stored in clear beside a grant, so that it can be ended without a token: what it came of, and what it is for. */
const Metadata = Schema.Struct({
  clerkSessionId: Schema.optionalKey(ClerkSessionId),
  organizationId: Schema.optionalKey(OrganizationId)
})
const decodeMetadata = Schema.decodeUnknownOption(Metadata)

const organizationOf = (metadata: unknown): Pick<Grant, "organizationId"> => {
  const organizationId = Option.getOrUndefined(decodeMetadata(metadata))?.organizationId
  return organizationId === undefined ? {} : { organizationId }
}

const encodeProps = Schema.encodeEffect(GrantProps)

/** The grants of the authorization server. */
export class Grants extends Context.Service<
  Grants,
  {
    /** All grants of a user. */
    readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<Grant>, AuthorizationFailure>
    /** Ends a grant of a user: its tokens, and what is open under it. One that is gone already counts as ended. */
    readonly end: (userId: UserId, grantId: GrantId) => Effect.Effect<void, AuthorizationFailure>
    /** Makes a grant: the redirect that hands the client its code, with `state` and `iss` (RFC 9207). */
    readonly complete: (authRequest: AuthRequest, subject: GrantProps) => Effect.Effect<string, AuthorizationFailure>
  }
>()("oauth/Grants") {
  static readonly layer = Layer.effect(
    Grants,
    Effect.gen(function* () {
      const { helpers } = yield* OAuthLibrary

      return Grants.of({
        list: Effect.fn("Grants.list")(function* (userId) {
          const grants: Array<Grant> = []
          let cursor: string | undefined
          do {
            const from = cursor
            const page = yield* attempt("listUserGrants", () =>
              helpers.listUserGrants(userId, from === undefined ? {} : { cursor: from })
            )
            grants.push(
              ...page.items.map(({ id, clientId, scope, createdAt, metadata }) => ({
                id: GrantId.make(id),
                clientId: ClientId.make(clientId),
                scopes: scope,
                createdAt,
                ...organizationOf(metadata)
              }))
            )
            cursor = page.cursor
          } while (cursor !== undefined)
          return grants
        }),

        end: Effect.fn("Grants.end")((userId, grantId) =>
          attempt("revokeGrant", () => helpers.revokeGrant(grantId, userId))
        ),

        complete: Effect.fn("Grants.complete")(function* (authRequest, subject) {
          const { clerkSessionId, organizationId } = subject
          const props = yield* Effect.orDie(encodeProps(subject))
          const granted = yield* attempt("completeAuthorization", () =>
            helpers.completeAuthorization({
              request: authRequest,
              userId: subject.userId,
              metadata: {
                ...(clerkSessionId !== undefined && { clerkSessionId }),
                ...(organizationId !== undefined && { organizationId })
              } satisfies typeof Metadata.Type,
              scope: authRequest.scope,
              props,
              // A second machine of the same person does not sign the first one out.
              revokeExistingGrants: false
            })
          )
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
