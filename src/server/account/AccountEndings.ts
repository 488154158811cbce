import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { GrantsEnded } from "../oauth/GrantsEnded.ts"
import { Announcements } from "./Announcements.ts"

/** No token of theirs is good any more: what may be left is a stream, which tells of changed lists only. */
const failed = "The sessions of ended grants were not ended"

/**
 * The user's object ends the sessions and streams that were opened under a grant with the grant, and deletes what is
 * stored for a user with the user.
 */
export const layer = Layer.effect(
  GrantsEnded,
  Effect.map(Announcements, ({ tell }) =>
    GrantsEnded.of({
      one: (userId, grantId) => tell(userId, failed, (account) => account.endGrants([grantId])),
      all: (userId, deleted) => tell(userId, failed, (account) => account.endAll(deleted))
    })
  )
).pipe(Layer.provide(Announcements.layer))
