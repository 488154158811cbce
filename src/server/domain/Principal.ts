import * as Context from "effect/Context"
import * as Schema from "effect/Schema"

/** Clerk's id of a user. It holds no ":", which the OAuth library uses as its separator. */
export const UserId = Schema.String.check(Schema.isPattern(/^user_[A-Za-z0-9]{1,64}$/u)).pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** Clerk's id of a browser session of a user. */
export const ClerkSessionId = Schema.String.check(Schema.isPattern(/^sess_[A-Za-z0-9]{1,64}$/u)).pipe(
  Schema.brand("ClerkSessionId")
)
export type ClerkSessionId = typeof ClerkSessionId.Type

/** Clerk's id of an organization. */
export const OrganizationId = Schema.String.check(Schema.isPattern(/^org_[A-Za-z0-9]{1,64}$/u)).pipe(
  Schema.brand("OrganizationId")
)
export type OrganizationId = typeof OrganizationId.Type

/** The id of something that happened at Clerk, the same each time that it is told: `svix-id` of a webhook. */
export const EventId = Schema.String.check(Schema.isPattern(/^[\w.:-]{1,128}$/u)).pipe(Schema.brand("EventId"))
export type EventId = typeof EventId.Type

/** An OAuth `client_id`: what dynamic registration issued, or the address of a client's metadata document. */
export const ClientId = Schema.NonEmptyString.pipe(Schema.brand("ClientId"))
export type ClientId = typeof ClientId.Type

/**
 * The OAuth library's id of a grant: what one person gave one client at one sign-in. Revoking it ends everything that
 * came of it.
 */
export const GrantId = Schema.NonEmptyString.pipe(Schema.brand("GrantId"))
export type GrantId = typeof GrantId.Type

const identity = {
  userId: UserId,
  /** Known only where the sign-in hands over a Clerk session. */
  clerkSessionId: Schema.optionalKey(ClerkSessionId),
  /** The organization that the grant is for. Without one it is for the personal account, as all older grants are. */
  organizationId: Schema.optionalKey(OrganizationId)
}

/**
 * Who a grant stands for. Stored, encrypted, in the grant: identity only, so that no role can go stale in there. Stored
 * grants say `sessionId`.
 */
export const GrantProps = Schema.Struct(identity).pipe(Schema.encodeKeys({ clerkSessionId: "sessionId" }))
export type GrantProps = typeof GrantProps.Type

/**
 * Who sent a request: the subject of its access token, its grant, the organization that this is for, the client that
 * holds it, and what was granted.
 */
export const Principal = Schema.Struct({
  ...identity,
  grantId: GrantId,
  clientId: ClientId,
  scopes: Schema.Array(Schema.String)
})
export type Principal = typeof Principal.Type

/**
 * The identity of the request being served. Only a checked bearer token provides it, so a route that asks for it
 * does not compile without authentication.
 */
export class CurrentPrincipal extends Context.Service<CurrentPrincipal, Principal>()("domain/CurrentPrincipal") {}
