import * as Effect from "effect/Effect"

import { Access, type AccessError } from "../access/Access.ts"
import { ClerkSessionTokens, type ClerkSessionUnknown } from "../access/ClerkSessionTokens.ts"
import { ClerkSessionEnded } from "../clerk/ClerkError.ts"
import { AppConfig } from "../config/AppConfig.ts"
import type { GrantProps } from "../domain/Principal.ts"

/**
 * Whether what a grant was made from still stands: the account is open, and the session that the person signed in with
 * has not ended. With `SIGN_IN=app` there has to be one: a grant from before that setting has come to its end.
 */
export const makeStanding = Effect.gen(function* () {
  const { SIGN_IN: signIn } = yield* AppConfig
  const access = yield* Access
  const tokens = yield* ClerkSessionTokens
  return Effect.fnUntraced(function* ({
    userId,
    sessionId
  }: GrantProps): Effect.fn.Return<void, AccessError | ClerkSessionEnded | ClerkSessionUnknown> {
    const session =
      sessionId !== undefined
        ? tokens.alive(sessionId)
        : signIn === "app"
          ? Effect.fail(new ClerkSessionEnded())
          : Effect.void
    yield* Effect.all([access.current(userId), session], { concurrency: 2 })
  })
})
