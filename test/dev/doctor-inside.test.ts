import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { FaultId } from "../../dev/doctor/Faults.ts"
import { ClerkApi } from "../../src/server/clerk/ClerkApi.ts"
import { ClerkError, ClerkMisconfigured, ClerkUnavailable, ClerkUnexpected } from "../../src/server/clerk/ClerkError.ts"
import { ClerkJwt, TokenRejected } from "../../src/server/clerk/ClerkJwt.ts"
import { ClerkOAuth, ClerkOAuthError } from "../../src/server/clerk/ClerkOAuth.ts"
import { handler } from "../../src/server/Server.ts"
import { testServer, type TestServer } from "../../src/server/testing/TestServer.ts"
import { testSettings } from "../../src/server/testing/TestSettings.ts"
import { examineHandler } from "../support/DoctorInProcess.ts"
import { delivery, eventOf, webhookSecret } from "../support/SignedWebhook.ts"
import fixture from "../server/fixture/worker.ts"

const url = "http://localhost:8788"
const keys = testSettings.STATE_SIGNING_KEYS

interface Case {
  readonly settings?: Readonly<Record<string, unknown>>
  readonly outside?: Layer.Layer<never>
  readonly broken?: (server: TestServer) => void
  /** Where people come, if not where the server says. */
  readonly at?: string
  readonly key?: string
}

/** What doctor finds in a server that is in order but for this. */
const examined = async ({ settings = {}, outside, broken, at = url, key = keys }: Case) => {
  const server = testServer(fixture, {
    settings: { PUBLIC_URL: url, CLERK_WEBHOOK_SECRET: webhookSecret, FIXTURE_COLOUR: "red", ...settings },
    ...(outside !== undefined && { outside })
  })
  server.clerk.redirectUris = [`${url}/callback`]
  broken?.(server)
  const { findings } = await examineHandler(at, server.handler, key)
  return [...new Set(findings.map(({ id }) => id))]
}

/** Clerk's Backend API in order but for some of its parts. */
const backend = (parts: object) =>
  Layer.mock(ClerkApi, {
    organizations: Effect.succeed(true),
    keyIds: Effect.succeed(["ins_key"]),
    oauthApplication: (clientId) =>
      Effect.succeed({ clientId, redirectUris: [`${url}/callback`], scopes: "openid profile" }),
    ...parts
  })

const misconfigured = new ClerkMisconfigured({ operation: "any", status: 401, code: "clerk_key_invalid" })

const cases: ReadonlyArray<readonly [string, Case, ...Array<FaultId>]> = [
  ["KV fails", { broken: ({ kv }) => void (kv.outage = true) }, "registration-refused", "kv"],
  ["the objects fail", { broken: ({ accounts }) => void (accounts.failures = 1e6) }, "bad-token-taken", "object"],
  [
    "Clerk is away",
    { broken: ({ clerk }) => void (clerk.outage = new ClerkUnavailable({ operation: "any", status: 503 })) },
    "clerk-unreachable"
  ],
  ["the secret key is wrong", { broken: ({ clerk }) => void (clerk.outage = misconfigured) }, "clerk-key-refused"],
  [
    "Clerk answers something else",
    {
      outside: backend({
        organizations: Effect.fail(
          new ClerkError({ reason: new ClerkUnexpected({ operation: "any", detail: "status 418" }) })
        )
      })
    },
    "clerk-unexpected"
  ],
  [
    "the Frontend API is away",
    { outside: Layer.mock(ClerkJwt, { verify: () => Effect.fail(new ClerkUnavailable({ operation: "jwks" })) }) },
    "frontend-api"
  ],
  [
    "the Frontend API is another instance's",
    { outside: Layer.mock(ClerkJwt, { verify: () => Effect.fail(new TokenRejected({ check: "kid" })) }) },
    "other-instance"
  ],
  [
    "there is no OAuth application",
    { outside: backend({ oauthApplication: () => Effect.succeed(undefined) }) },
    "no-application"
  ],
  [
    "the callback is not known",
    { broken: ({ clerk }) => void (clerk.redirectUris = ["https://x.example/callback"]) },
    "no-redirect"
  ],
  [
    "openid is not ticked",
    {
      outside: backend({
        oauthApplication: (clientId: string) =>
          Effect.succeed({ clientId, redirectUris: [`${url}/callback`], scopes: "profile email" })
      })
    },
    "no-openid"
  ],
  [
    "the client secret is wrong",
    {
      outside: Layer.mock(ClerkOAuth, {
        challenge: Effect.succeed({ verifier: "v", nonce: "n" }),
        exchange: () =>
          Effect.fail(
            new ClerkOAuthError({
              reason: new ClerkMisconfigured({ operation: "token", status: 401, code: "invalid_client" })
            })
          )
      })
    },
    "client-secret-refused"
  ],
  [
    "organizations are off and required",
    { settings: { ORGANIZATIONS: "required" }, broken: ({ clerk }) => void (clerk.tellsMemberships = false) },
    "organizations-off"
  ],
  ["webhooks have no secret", { settings: { CLERK_WEBHOOK_SECRET: undefined } }, "webhooks-not-set"],
  [
    "nobody may register",
    { settings: { CLIENT_REGISTRATION: "published" } },
    "no-registration",
    "registration-refused"
  ],
  ["redirects to apps are refused", { settings: { PRIVATE_USE_REDIRECTS: "refuse" } }, "redirect-dropped"],
  [
    "only some hosts may connect",
    { settings: { CLIENT_REGISTRATION: "hosts", CLIENT_HOSTS: "localhost" } },
    "registration-refused"
  ],
  ["any page may call", { settings: { ALLOWED_ORIGINS: "doctor.invalid" } }, "foreign-origin"],
  [
    "this machine has another key",
    { key: `first:${btoa("a key of somebody else: 32 bytes and more....")}` },
    "key-refused"
  ],
  ["this machine has no key", { key: "" }, "no-key"],
  ["this machine's key is malformed", { key: "nonsense" }, "no-key"]
]

describe("clerk-mcp doctor, on servers that are not as they should be", () => {
  it("finds nothing in a healthy one, to which a webhook came", async () => {
    const server = testServer(fixture, {
      settings: { PUBLIC_URL: url, CLERK_WEBHOOK_SECRET: webhookSecret, FIXTURE_COLOUR: "red" }
    })
    server.clerk.redirectUris = [`${url}/callback`]
    const event = eventOf("user.updated", { object: "user", id: "user_ada" })
    assert.strictEqual((await server.handler(await delivery(event, {}, url))).status, 204)
    assert.deepStrictEqual((await examineHandler(url, server.handler, keys)).findings, [])
  })

  for (const [name, broken, ...expected] of cases) {
    it(`finds that ${name}`, async () => {
      const found = await examined(broken)
      const further = found.filter((id) => id !== "no-webhook-lately")
      assert.deepStrictEqual(further, expected)
    })
  }

  it("finds that PUBLIC_URL is another address", async () => {
    const found = await examined({ at: "http://localhost:9999" })
    assert.deepStrictEqual(found, ["resource-metadata-wrong", "key-refused"])
  })

  it("finds which settings are missing, and looks no further", async () => {
    const { findings } = await examineHandler(
      url,
      handler(fixture.server, { SIGN_IN: "clerk" }, () => {}),
      keys
    )
    assert.deepStrictEqual(
      findings.map(({ id }) => id),
      ["not-set-up"]
    )
    assert.include(findings[0]?.at[0], "PUBLIC_URL is missing")
    assert.include(findings[0]?.at[0], "CLERK_SECRET_KEY is missing")
  })

  it("prints nothing of a hostile server's that a terminal would obey, and does not go on without end", async () => {
    const hostile = `This server is not set up yet: \u{1B}]0;owned\u{7}\u{9B}2J\nERROR  A line of its own${"<h1".repeat(300_000)}`
    const start = performance.now()
    const { findings } = await examineHandler(url, async () => new Response(hostile, { status: 500 }), keys)
    assert.isBelow(performance.now() - start, 10_000)
    assert.isNotEmpty(findings)
    for (const at of findings.flatMap((found) => found.at)) {
      assert.notMatch(at, /[\p{Cc}\p{Cf}]/u)
      assert.isAtMost(at.length, 500)
    }
  })

  it("finds that an address is http, without a server, or without TLS", async () => {
    const ids = async (at: string, code: string) => {
      const refuse = () => Promise.reject(Object.assign(new TypeError("fetch failed"), { cause: { code } }))
      return (await examineHandler(at, refuse, keys)).findings.map(({ id }) => id)
    }
    assert.deepStrictEqual(await ids("http://mcp.example.com", ""), ["plain-http"])
    assert.deepStrictEqual(await ids("https://mcp.example.com", "ENOTFOUND"), ["no-answer"])
    for (const code of [
      "CERT_HAS_EXPIRED",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "ERR_SSL_WRONG_VERSION_NUMBER"
    ]) {
      assert.deepStrictEqual(await ids("https://mcp.example.com", code), ["tls"], code)
    }
  })

  describe("on the internet", () => {
    const address = "https://mcp.example.com"
    const publicly = async (change: (request: Request, response: Response) => Response, settings = {}) => {
      const server = testServer(fixture, {
        settings: { CLERK_WEBHOOK_SECRET: webhookSecret, FIXTURE_COLOUR: "red", ...settings }
      })
      const answer = async (request: Request) => {
        if (request.url.startsWith("http:")) {
          return new Response(null, { status: 301, headers: { location: `https:${request.url.slice(5)}` } })
        }
        // No test asks the internet for a client's document: the page that it would lead to stands in.
        if (request.url.includes("client_id=https")) return new Response('<button name="decision">')
        return server.handler(request)
      }
      const { findings } = await examineHandler(
        address,
        async (request) => change(request.clone(), await answer(request)),
        keys
      )
      return findings.map(({ id }) => id).filter((id) => id !== "no-webhook-lately")
    }

    it("finds nothing in a healthy server", async () => {
      assert.deepStrictEqual(await publicly((_, response) => response), [])
    })

    it("finds that http is served, and that browsers are not told to stay with https", async () => {
      const served = await publicly((request, response) =>
        request.url.startsWith("http:") ? new Response("hello") : response
      )
      assert.deepStrictEqual(served, ["http-served"])
      const bare = await publicly((_, response) => {
        const headers = new Headers(response.headers)
        headers.delete("strict-transport-security")
        return new Response(response.body, { status: response.status, headers })
      })
      assert.deepStrictEqual(bare, ["no-hsts"])
    })

    it("finds that documents of clients are not taken, and which clients lose by it", async () => {
      const found = await publicly((request, response) =>
        request.url.includes("client_id=https")
          ? new Response("<h1>This app could not be verified</h1>", { status: 400 })
          : response
      )
      assert.deepStrictEqual(found, ["document-refused"])
    })

    it("says that a public server runs on a development instance", async () => {
      const settings = { CLERK_FRONTEND_API: "https://happy-cat-12.clerk.accounts.dev" }
      assert.deepStrictEqual(await publicly((_, response) => response, settings), ["development-instance"])
    })
  })
})
