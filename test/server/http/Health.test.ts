import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { vi } from "vitest"

import { ClerkMisconfigured, ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { type HealthReport, healthParts } from "../../../src/server/http/HealthReport.ts"
import { testServer } from "../../../src/server/testing/index.ts"
import { operatorToken } from "../../support/OperatorToken.ts"
import { delivery, eventOf, webhookSecret } from "../../support/SignedWebhook.ts"
import { testSettings } from "../../../src/server/testing/TestSettings.ts"
import { deciding } from "../fixture/Deciding.ts"

const origin = "https://mcp.example.com"

const serving = (settings: Readonly<Record<string, unknown>> = {}) => {
  const server = testServer(deciding, { settings: { CLERK_WEBHOOK_SECRET: webhookSecret, ...settings } })
  const ask = async (authorization?: string) => {
    const headers = { host: "mcp.example.com", ...(authorization !== undefined && { authorization }) }
    const response = await server.handler(new Request(`${origin}/health`, { headers }))
    return { status: response.status, body: await response.json<any>() }
  }
  const report = async (): Promise<HealthReport> => {
    const { status, body } = await ask(`Bearer ${await operatorToken()}`)
    assert.strictEqual(status, 200)
    return body
  }
  const problems = async () => {
    const { checks } = await report()
    return Object.entries(checks).flatMap(([part, { problem }]) =>
      problem === undefined ? [] : [`${part} ${problem}`]
    )
  }
  return { ...server, ask, report, problems }
}

describe("/health", () => {
  it("tells everybody that the server runs, and its version, and asks nobody for it", async () => {
    const { accounts, ask, clerk, kv } = serving()
    assert.deepStrictEqual(await ask(), { status: 200, body: { status: "ok", version: "1.0.0" } })
    assert.deepStrictEqual([clerk.calls, kv.calls.length, accounts.calls.size], [0, 0, 0])
  })

  it("tells whoever is no operator nothing", async () => {
    const { ask, kv } = serving()
    const bad = [
      "Bearer nothing",
      "Basic YTpi",
      `Bearer ${await operatorToken({ audience: "https://other.example.com" })}`,
      `Bearer ${await operatorToken({ purpose: "account" })}`,
      `Bearer ${await operatorToken({ lifetime: Duration.seconds(-1) })}`,
      `Bearer ${await operatorToken({ keys: `first:${btoa("a key of somebody else: 32 bytes and more....")}` })}`
    ]
    for (const authorization of bad) {
      const { status, body } = await ask(authorization)
      assert.strictEqual(status, 401, authorization)
      assert.deepStrictEqual(body, { error: "invalid_token", words: "Not an operator" })
    }
    assert.lengthOf(kv.calls, 0)
  })

  it("tells operators of each part, and the settings without a secret", async () => {
    const { ask, report } = serving()
    const { checks, settings, ...rest } = await report()
    assert.deepInclude(rest, { status: "ok", name: "deciding-server", version: "1.0.0" })
    assert.isBelow(Math.abs(Date.parse(rest.time) - Date.now()), 60_000)
    assert.deepStrictEqual(Object.keys(checks), [...healthParts])
    assert.isTrue(checks["clerkApi"]?.organizations)
    assert.deepInclude(settings, {
      PUBLIC_URL: origin,
      SIGN_IN: "clerk",
      CLERK_CLIENT_ID: "the-oauth-application",
      CLERK_SECRET_KEY: "set",
      STATE_SIGNING_KEYS: "set",
      OAUTH_KV: "set"
    })
    const text = JSON.stringify((await ask(`Bearer ${await operatorToken()}`)).body)
    for (const secret of [testSettings.CLERK_CLIENT_SECRET, testSettings.CLERK_SECRET_KEY, webhookSecret]) {
      assert.notInclude(text, secret)
    }
    assert.notInclude(text, testSettings.STATE_SIGNING_KEYS.slice(6))
  })

  it("knows when a webhook came last, and not of one that was refused", async () => {
    const { accounts, handler, kv, report, wait } = serving()
    const event = eventOf("user.updated", { object: "user", id: "user_ada" })
    await handler(await delivery(event, { headers: { "svix-signature": "v1,bm8=" } }))
    assert.notProperty((await report()).checks["webhooks"], "lastDelivery")
    assert.strictEqual((await handler(await delivery(event))).status, 204)
    const seen = (await report()).checks["webhooks"]?.lastDelivery ?? ""
    assert.isBelow(Math.abs(Date.parse(seen) - Date.now()), 60_000)
    // One look and one write in ten minutes, however many come.
    const looks = () => kv.calls.filter(({ key }) => key === "health:webhook").length
    const before = looks()
    await handler(await delivery(event))
    assert.strictEqual(looks(), before)
    const writes = () => kv.calls.filter(({ method, key }) => method === "put" && key === "health:webhook").length
    assert.strictEqual(writes(), 1)
    wait(601)
    const later = Math.floor(Date.now() / 1_000) + 601
    assert.strictEqual((await handler(await delivery(event, { time: later }))).status, 204)
    await vi.waitFor(() => assert.strictEqual(writes(), 2))
    // A store that fails costs no delivery.
    wait(601)
    kv.outage = true
    assert.strictEqual((await handler(await delivery(event, { time: later + 601 }))).status, 204)
    assert.lengthOf(accounts.webhooks, 4)
  })

  it("finds what is broken, each by itself, and answers 200", async () => {
    const { accounts, clerk, kv, problems } = serving()
    assert.deepStrictEqual(await problems(), [])
    kv.outage = true
    assert.deepStrictEqual(await problems(), ["webhooks unreachable", "kv unreachable"])
    kv.outage = false
    accounts.failures = 1_000
    assert.deepStrictEqual(await problems(), ["object unreachable"])
    accounts.failures = 0
    clerk.outage = new ClerkUnavailable({ operation: "any", status: 503 })
    assert.deepStrictEqual(await problems(), [
      "clerkApi unreachable",
      "clerkKeys unreachable",
      "clerkApplication unreachable"
    ])
    clerk.outage = new ClerkMisconfigured({ operation: "any", status: 401, code: "clerk_key_invalid" })
    assert.deepStrictEqual(await problems(), ["clerkApi refused", "clerkKeys refused", "clerkApplication refused"])
    clerk.outage = undefined
    clerk.redirectUris = ["https://other.example.com/callback"]
    assert.deepStrictEqual(await problems(), ["clerkApplication no-redirect"])
  })

  it("does not wait for a Clerk that hangs", async () => {
    const { clerk, problems } = serving()
    clerk.latency = Effect.never
    const start = Date.now()
    assert.deepStrictEqual(await problems(), [
      "clerkApi unreachable",
      "clerkKeys unreachable",
      "clerkApplication unreachable"
    ])
    assert.isBelow(Date.now() - start, 12_000)
  })

  it("says that there is no secret for webhooks, which is no failure", async () => {
    const { problems, report } = serving({ CLERK_WEBHOOK_SECRET: undefined })
    assert.deepStrictEqual(await problems(), ["webhooks not-set"])
    assert.strictEqual((await report()).status, "ok")
  })
})
