import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { mcpApi } from "../../examples/app-kit/src/Api.ts"
import { readSettings } from "../../examples/app-kit/src/Settings.ts"
import { clerkForApp } from "../support/StandInApp.ts"
import { jsonOf } from "../../src/server/testing/Visitor.ts"

const fixture = Effect.gen(function* () {
  const app = yield* clerkForApp()
  const callerOf = mcpApi(readSettings(app.settings))
  const ask = (headers: Readonly<Record<string, string>>) =>
    Effect.promise(() => callerOf(new Request(`${app.appUrl}/api/me`, { headers })))
  return { ...app, ask }
})

const refusal = Effect.fnUntraced(function* (answer: unknown) {
  if (!(answer instanceof Response)) return assert.fail(`accepted: ${JSON.stringify(answer)}`)
  const { error } = yield* Effect.promise(() => jsonOf(answer))
  return { status: answer.status, headers: answer.headers, error }
})

it.effect("the caller is who the template token says", () =>
  Effect.gen(function* () {
    const { ask, clerk, templateToken } = yield* fixture
    const admin = yield* ask({ authorization: `Bearer ${yield* templateToken("admin@example.com")}` })
    assert.deepEqual(admin, { userId: clerk.users.admin.id, email: "admin@example.com", role: "admin" })
    const member = yield* ask({ authorization: `bearer ${yield* templateToken("member@example.com")}` })
    assert.deepEqual(member, { userId: clerk.users.member.id, email: "member@example.com", role: null })
  })
)

it.effect("a token counts for two minutes, however long it lives", () =>
  Effect.gen(function* () {
    const { ask, forge } = yield* fixture
    const now = Math.floor(Date.now() / 1_000)
    const young = yield* forge({ iat: now - 100, nbf: now - 110, exp: now + 600 })
    assert.propertyVal(yield* ask({ authorization: `Bearer ${young}` }), "role", "admin")
  })
)

it.effect("an azp is not required, but has to be the application's", () =>
  Effect.gen(function* () {
    const { appUrl, ask, forge } = yield* fixture
    const own = yield* ask({ authorization: `Bearer ${yield* forge({ azp: appUrl })}` })
    assert.propertyVal(own, "role", "admin")
    const foreign = yield* ask({ authorization: `Bearer ${yield* forge({ azp: `${appUrl}.example.com` })}` })
    assert.instanceOf(foreign, Response)
  })
)

it.effect("nothing but a token of the template is accepted", () =>
  Effect.gen(function* () {
    const { ask, refusedTokens } = yield* fixture
    for (const [name, make] of Object.entries(refusedTokens)) {
      const { error, headers, status } = yield* refusal(yield* ask({ authorization: `Bearer ${yield* make}` }))
      assert.strictEqual(status, 401, name)
      assert.strictEqual(error, "invalid_token", name)
      assert.strictEqual(headers.get("www-authenticate"), 'Bearer error="invalid_token"', name)
    }
  })
)

it.effect("a token belongs into the Authorization header", () =>
  Effect.gen(function* () {
    const { ask, templateToken } = yield* fixture
    const token = yield* templateToken("admin@example.com")
    const elsewhere = [
      {},
      { authorization: token },
      { authorization: `Basic ${token}` },
      { cookie: `__session=${token}` }
    ]
    for (const headers of elsewhere) {
      assert.strictEqual((yield* refusal(yield* ask(headers as Record<string, string>))).status, 401)
    }
  })
)

it.effect("an outage of Clerk is not the token's fault", () =>
  Effect.gen(function* () {
    const { ask, clerk, templateToken } = yield* fixture
    const authorization = `Bearer ${yield* templateToken("admin@example.com")}`
    yield* clerk.admin.addFault({ path: "/v1/jwks", times: 1000, effect: { kind: "server_error" } })
    const { error, status } = yield* refusal(yield* ask({ authorization }))
    assert.deepInclude({ status, error }, { status: 503, error: "unavailable" })
  })
)
