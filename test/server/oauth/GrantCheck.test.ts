import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Access, AccessError, AccessUnknown } from "../../../src/server/access/Access.ts"
import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { ClerkSessionEnded } from "../../../src/server/clerk/ClerkError.ts"
import { ClerkSessionId, UserId } from "../../../src/server/domain/Principal.ts"
import { GrantCheck } from "../../../src/server/oauth/GrantCheck.ts"
import { testConfig } from "../../support/TestConfig.ts"

it.effect("a session that has ended ends the grant, also while Clerk does not say what the user may do", () =>
  Effect.gen(function* () {
    const { check } = yield* GrantCheck
    const grant = { userId: UserId.make("user_ada"), clerkSessionId: ClerkSessionId.make("sess_1") }
    const { reason } = yield* Effect.flip(check(grant))
    assert.strictEqual(reason._tag, "ClerkSessionEnded")
  }).pipe(
    Effect.provide(
      Layer.provide(GrantCheck.layer, [
        Layer.succeed(Access, {
          current: () =>
            Effect.fail(new AccessError({ reason: new AccessUnknown({ retryAfterSeconds: 1, passes: true }) }))
        }),
        Layer.mock(ClerkSessionTokens, { alive: () => Effect.fail(new ClerkSessionEnded()) }),
        testConfig()
      ])
    )
  )
)
