import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { callTool, fakeApp } from "../../src/server/testing/index.ts"
import * as AppAccounts from "../../src/tools/AppAccounts.ts"

const ada = { id: "user_ada", email: "ada@example.com", firstName: "Ada", lastName: null, role: "admin" }

it.effect("tells people who they are in the app, and nothing besides", () => {
  const app = fakeApp(() => Response.json({ ...ada, internalNote: "a good customer" }))
  const call = callTool(AppAccounts.toolkit, Layer.provide(AppAccounts.layer, app))
  return Effect.gen(function* () {
    const profile = yield* call("myProfile", {}, { as: { scopes: ["app:read"], clerkSessionId: "sess_1" } })
    assert.deepStrictEqual(profile, ada)
  })
})
