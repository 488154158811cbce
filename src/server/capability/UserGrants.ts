import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { ClientId, GrantId, OrganizationId, UserId } from "../domain/Principal.ts"

/** The connections cannot be read or ended at present. */
export class GrantsUnavailable extends Schema.TaggedError<GrantsUnavailable>()("GrantsUnavailable", {
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = "Your connections cannot be reached right now. Please try again in a moment."
}

/** One app that a person has connected: each sign-in makes one. */
export interface UserGrant {
  readonly id: GrantId
  readonly clientId: ClientId
  /** The organization that it is for; none if it is for the personal account. */
  readonly organizationId?: OrganizationId
}

/** The apps that people have connected. */
export class UserGrants extends Context.Service<
  UserGrants,
  {
    /** All connections of a user. */
    readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<UserGrant>, GrantsUnavailable>
    /** Signs a connection out for good. One that is gone already counts as signed out. */
    readonly end: (userId: UserId, id: GrantId) => Effect.Effect<void, GrantsUnavailable>
  }
>()("capability/UserGrants") {}
