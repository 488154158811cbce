import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

import type { GrantId, UserId } from "../domain/Principal.ts"

/**
 * Who has to hear that grants of a user have ended, because something is kept open under them. Told once the end has
 * come; it holds nobody up, and cannot go wrong for the one who tells.
 */
export class GrantsEnded extends Context.Service<
  GrantsEnded,
  {
    /** This grant was revoked. */
    readonly one: (userId: UserId, grantId: GrantId) => Effect.Effect<void>
    /** The account was closed, and none of its grants counts any more. Of a `deleted` one nothing is kept. */
    readonly all: (userId: UserId, deleted: boolean) => Effect.Effect<void>
  }
>()("oauth/GrantsEnded") {}
