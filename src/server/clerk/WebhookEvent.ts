import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { ClerkSessionId, OrganizationId, UserId } from "../domain/Principal.ts"
import * as Log from "../observability/Log.ts"

/**
 * What a webhook of Clerk is about. It holds no facts on purpose: deliveries come late, twice and out of order, and each
 * only says where to look again.
 */
export const WebhookEvent = Schema.TaggedUnion({
  /** The account of a user, or what the user is a member of. */
  User: { userId: UserId },
  /** A Clerk session of a user. */
  Session: { userId: UserId, clerkSessionId: ClerkSessionId },
  /** An organization, and with it all its members. */
  Organization: { organizationId: OrganizationId },
  /** A role or a permission. They are the Clerk instance's, so it is about the members of every organization. */
  Roles: {}
})
export type WebhookEvent = typeof WebhookEvent.Type

const { Organization, Roles, Session, User } = WebhookEvent.cases

/** Reads what all events of a kind have in common. The first one whose beginning fits counts. */
const kind = <A, I>(begins: ReadonlyArray<string>, data: Schema.Codec<A, I>, event: (data: A) => WebhookEvent) => {
  const decode = Schema.decodeUnknownOption(Schema.Struct({ data }))
  return { begins, read: (payload: unknown) => Option.map(decode(payload), (decoded) => event(decoded.data)) }
}

/** A session that was made, or waits for the person, has ended nothing. */
const sessionEnds = ["session.ended", "session.removed", "session.revoked"]
const organizationChanges = ["organization.updated", "organization.deleted"]

const kinds = [
  kind(["user."], Schema.Struct({ id: UserId }), ({ id }) => User.make({ userId: id })),
  kind(sessionEnds, Schema.Struct({ id: ClerkSessionId, user_id: UserId }), ({ id, user_id: userId }) =>
    Session.make({ userId, clerkSessionId: id })
  ),
  kind(
    ["organizationMembership."],
    Schema.Struct({ public_user_data: Schema.Struct({ user_id: UserId }) }),
    ({ public_user_data: { user_id: userId } }) => User.make({ userId })
  ),
  kind(organizationChanges, Schema.Struct({ id: OrganizationId }), ({ id }) =>
    Organization.make({ organizationId: id })
  ),
  kind(["role.", "permission."], Schema.Unknown, () => Roles.make({}))
]

const decodeType = Schema.decodeUnknownOption(Schema.Struct({ type: Schema.String }))

/** The type that a payload names, which is also the one word of it that may be logged. */
export const typeOf = (payload: unknown): string | undefined => Option.getOrUndefined(decodeType(payload))?.type

/**
 * What a verified payload is about, by its type; undefined for types that change nothing here. One of a known type in a
 * form that is none of Clerk's documented ones counts as none, and the log says so, once.
 */
export const read = Effect.fnUntraced(function* (payload: unknown) {
  const type = typeOf(payload) ?? ""
  const found = kinds.find(({ begins }) => begins.some((beginning) => type.startsWith(beginning)))
  if (found === undefined) return undefined
  const event = Option.getOrUndefined(found.read(payload))
  if (event === undefined) {
    const warning = Effect.logWarning("A webhook of Clerk has an unexpected form, and was ignored")
    yield* Log.once(`webhook ${type}`, Effect.annotateLogs(warning, { type }))
  }
  return event
})
