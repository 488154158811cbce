import * as Effect from "effect/Effect"

import { Access, type AccessError } from "../access/Access.ts"
import { SessionTokens } from "../access/SessionTokens.ts"
import type { SessionEnded } from "../clerk/ClerkError.ts"
import type { Subject } from "../domain/Identity.ts"

/**
 * Whether what a grant was made from still stands: the account is open, and the session that the person signed in with,
 * where there is one, has not ended. A session that Clerk says nothing about at present stands.
 */
export const makeStanding = Effect.gen(function* () {
  const access = yield* Access
  const tokens = yield* SessionTokens
  return Effect.fnUntraced(function* ({
    userId,
    sessionId
  }: Subject): Effect.fn.Return<void, AccessError | SessionEnded> {
    const session =
      sessionId === undefined
        ? Effect.void
        : Effect.catchTag(Effect.asVoid(tokens.current(sessionId)), "ClerkError", ({ reason }) =>
            reason._tag === "SessionEnded" ? Effect.fail(reason) : Effect.void
          )
    yield* Effect.all([access.current(userId), session], { concurrency: 2 })
  })
})
