import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ClerkSession } from "./ClerkSessions.ts"
import type { ClerkUser } from "./Directory.ts"
import type { ClerkPermission, OrganizationRole } from "./OrganizationRoles.ts"
import type { Membership, Organization } from "./Organizations.ts"

/** What happened to something of the instance, by the name that Clerk's webhooks have for it. */
export type Change =
  | { readonly type: "user.created" | "user.updated" | "user.deleted"; readonly user: ClerkUser }
  | {
      readonly type: "session.created" | "session.ended" | "session.removed" | "session.revoked"
      readonly session: ClerkSession
    }
  | {
      readonly type: "organization.created" | "organization.updated" | "organization.deleted"
      readonly organization: Organization
    }
  | {
      readonly type:
        | "organizationMembership.created"
        | "organizationMembership.updated"
        | "organizationMembership.deleted"
      readonly membership: Membership
    }
  | { readonly type: "role.created" | "role.updated" | "role.deleted"; readonly role: OrganizationRole }
  | { readonly type: "permission.created" | "permission.deleted"; readonly permission: ClerkPermission }

/** Tells of every change of the instance, right after it and in order. A reset is no change. */
export class Changes extends Context.Service<
  Changes,
  {
    readonly publish: (change: Change) => Effect.Effect<void>
    /** The listener runs in the fiber that made the change, and has to be quick. */
    readonly listen: (listener: (change: Change) => Effect.Effect<void>) => Effect.Effect<void>
  }
>()("dev/clerk/Changes") {
  static readonly layer = Layer.sync(Changes, () => {
    const listeners: Array<(change: Change) => Effect.Effect<void>> = []
    return Changes.of({
      publish: (change) => Effect.forEach(listeners, (listener) => listener(change), { discard: true }),
      listen: (listener) => Effect.sync(() => void listeners.push(listener))
    })
  })
}
