import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { ClientId, GrantId, UserId } from "../domain/Identity.ts"

/** The connections cannot be read or ended at present. */
export class ConnectionsUnavailable extends Schema.TaggedError<ConnectionsUnavailable>()("ConnectionsUnavailable", {
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = "Your connections cannot be reached right now. Please try again in a moment."
}

/** One app that a person has connected: each sign-in makes one. */
export interface Connection {
  readonly id: GrantId
  readonly clientId: ClientId
}

/** The apps that people have connected. */
export class Connections extends Context.Service<
  Connections,
  {
    /** All connections of a user. */
    readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<Connection>, ConnectionsUnavailable>
    /** Signs a connection out for good. One that is gone already counts as signed out. */
    readonly end: (userId: UserId, id: GrantId) => Effect.Effect<void, ConnectionsUnavailable>
  }
>()("tools/Connections") {}
