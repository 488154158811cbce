import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { AppApi, ToolCalls } from "../../src/server/index.ts"
import * as AppAccounts from "../../src/tools/AppAccounts.ts"
import { request } from "../support/People.ts"

const ada = { id: "user_ada", email: "ada@example.com", firstName: "Ada", lastName: null, role: "admin" }

it.effect("tells people who they are in the app, and nothing besides", () => {
  const answers: Readonly<Record<string, unknown>> = { "/api/me": { ...ada, internalNote: "a good customer" } }
  const app = Layer.mock(AppApi, {
    get: (path, _query, answer) => Effect.orDie(Schema.decodeUnknownEffect(answer)(answers[path]))
  })
  const tools = ToolCalls.layer(AppAccounts.toolkit).pipe(Layer.provide(AppAccounts.layer), Layer.provide(app))

  return Effect.gen(function* () {
    const { structuredContent } = yield* (yield* ToolCalls).call("myProfile", {})
    assert.deepStrictEqual(structuredContent, ada)
  }).pipe(Effect.provide([tools, request()]))
})
