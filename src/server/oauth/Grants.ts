import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import { GrantsUnavailable, UserGrants } from "../capability/UserGrants.ts"
import { ClerkSessionId, ClientId, GrantId, GrantProps, OrganizationId, type UserId } from "../domain/Principal.ts"
import type { AuthorizationFailure } from "./AuthorizationFailure.ts"
import { attempt, type AuthRequest, OAuthLibrary } from "./OAuthLibrary.ts"

/** What one person gave one client. */
export interface Grant {
  readonly id: GrantId
  readonly clientId: ClientId
  readonly scopes: ReadonlyArray<string>
  /** The Clerk session that it was made from, if the sign-in handed one over. */
  readonly clerkSessionId?: ClerkSessionId
  /** The organization that it is for, if it is for one. */
  readonly organizationId?: OrganizationId
}

/** What the library stores of a grant in clear, so that it is found by what it depends on. */
const Metadata = Schema.Struct({
  clerkSessionId: Schema.optionalKey(ClerkSessionId),
  organizationId: Schema.optionalKey(OrganizationId)
})
type Metadata = typeof Metadata.Type

/** Grants from before this was stored have none. */
const decodeMetadata = (metadata: unknown): Metadata =>
  Option.getOrElse(Schema.decodeUnknownOption(Metadata)(metadata), () => ({}))

const encodeProps = Schema.encodeEffect(GrantProps)

/** The organization that a grant is for, of those that are for one. */
const organizationOf = (subject: GrantProps & { readonly organizationId?: OrganizationId }) => subject.organizationId

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
      const { publish } = yield* AccessEvents

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
              ...page.items.map(({ id, clientId, scope, metadata }) => ({
                ...decodeMetadata(metadata),
                id: GrantId.make(id),
                clientId: ClientId.make(clientId),
                scopes: scope
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
          const props = yield* Effect.orDie(encodeProps(subject))
          const { userId, clerkSessionId } = subject
          const organizationId = organizationOf(subject)
          const metadata: Metadata = {
            ...(clerkSessionId !== undefined && { clerkSessionId }),
            ...(organizationId !== undefined && { organizationId })
          }
          const granted = yield* attempt("completeAuthorization", () =>
            helpers.completeAuthorization({
              request: authRequest,
              userId,
              metadata,
              scope: authRequest.scope,
              props,
              // A second machine of the same person does not sign the first one out.
              revokeExistingGrants: false
            })
          )
          if (organizationId !== undefined) {
            yield* publish(AccessEvent.cases.OrganizationGranted.make({ userId, organizationId }))
          }
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
