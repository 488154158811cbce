import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { membershipJson, organizationJson, permissionJson, roleJson } from "../backend-api/OrganizationJson.ts"
import { deletedJson, sessionJson, userJson } from "../backend-api/Representation.ts"
import type { Change } from "../Changes.ts"
import { Directory } from "../Directory.ts"
import { Organizations } from "../Organizations.ts"
import { instanceId, StandInSettings } from "../StandInOptions.ts"

/** An event as Clerk's webhooks file names it, and what it is about. */
export interface WebhookEvent {
  readonly type: string
  readonly data: Schema.Json
}

/** `WebhookEventPayload`. `millis` is when it happened; Clerk's documentation has milliseconds, its file seconds. */
export const payloadOf = ({ data, type }: WebhookEvent, millis: number): string =>
  JSON.stringify({
    event_attributes: { http_request: { client_ip: "127.0.0.1", user_agent: "clerk-stand-in" } },
    object: "event",
    type,
    instance_id: instanceId,
    timestamp: millis,
    data
  })

/** Makes events of changes, with what they are about as it is at that moment. */
export const webhookEvents = Effect.gen(function* () {
  const { origin } = yield* StandInSettings
  const directory = yield* Directory
  const organizations = yield* Organizations

  const dataOf = Effect.fnUntraced(function* (change: Change) {
    switch (change.type) {
      case "user.deleted":
        return deletedJson("user", change.user.id)
      case "user.created":
      case "user.updated":
        return userJson(change.user, origin)
      case "session.created":
      case "session.ended":
      case "session.removed":
      case "session.revoked": {
        const user = yield* directory.find(change.session.userId)
        return {
          ...sessionJson(change.session),
          user: Option.match(user, { onNone: () => null, onSome: (found) => userJson(found, origin) })
        }
      }
      case "organization.deleted":
        return { ...deletedJson("organization", change.organization.id), slug: change.organization.slug }
      case "organization.created":
      case "organization.updated": {
        const { organization } = change
        return organizationJson(organization, origin, organizations.memberCount(organization.id))
      }
      case "organizationMembership.created":
      case "organizationMembership.updated":
      case "organizationMembership.deleted": {
        const { membership } = change
        const user = yield* directory.find(membership.userId)
        if (Option.isNone(user)) return undefined
        const count = organizations.memberCount(membership.organization.id)
        return membershipJson(membership, user.value, origin, count)
      }
      case "role.deleted":
        return { ...deletedJson("role", change.role.id), slug: null }
      case "role.created":
      case "role.updated":
        return roleJson(change.role)
      case "permission.deleted":
        return deletedJson("permission", change.permission.id)
      case "permission.created":
        return permissionJson(change.permission)
    }
  })

  return (change: Change): Effect.Effect<WebhookEvent | undefined> =>
    Effect.map(dataOf(change), (data) => (data === undefined ? undefined : { type: change.type, data }))
})
