import { createClerkClient } from "@clerk/backend"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as jose from "jose"

import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import type { StandInOptions } from "../../dev/clerk/StandInOptions.ts"
import { serve } from "../support/FetchServer.ts"
import { freePort } from "../support/FreePort.ts"
import { WebBrowser } from "../support/WebBrowser.ts"

type Instance = StandInOptions["instance"]

/** An application that says what the SDK makes of a request, and passes on the headers that the SDK asks for. */
const application = Effect.fnUntraced(function* (instance: Instance) {
  const port = yield* Effect.promise(freePort)
  const standIn = ClerkStandIn.layer({
    port: 0,
    // A production instance shares its host name with the application, a development instance does not.
    host: instance === "production" ? "127.0.0.1" : "localhost",
    instance,
    appOrigins: [`http://127.0.0.1:${port}`]
  })
  const clerk = Context.get(yield* Layer.build(standIn), ClerkStandIn)
  const { CLERK_PUBLISHABLE_KEY, CLERK_SECRET_KEY } = clerk.settings
  const client = createClerkClient({
    secretKey: CLERK_SECRET_KEY,
    publishableKey: CLERK_PUBLISHABLE_KEY,
    apiUrl: clerk.url,
    proxyUrl: clerk.url,
    telemetry: { disabled: true }
  })
  const url = yield* serve(port, async (request) => {
    const state = await client.authenticateRequest(request, {
      authorizedParties: [`http://127.0.0.1:${port}`],
      // Its five seconds of leniency would make a test wait.
      clockSkewInMs: 1
    })
    const { headers } = state
    if (headers.has("location")) return new Response(null, { status: 307, headers })
    const claims = state.isAuthenticated ? state.toAuth().sessionClaims : {}
    return Response.json({ status: state.status, reason: state.reason, ...claims }, { headers })
  })
  const browser = new WebBrowser(url, clerk.url)
  const visit = (path = "/") => Effect.promise(async () => JSON.parse((await browser.open(`${url}${path}`)).html))
  const signIn = (email: string, back = `${url}/`) =>
    Effect.promise(() =>
      browser.open(`${clerk.url}/sign-in?redirect_url=${encodeURIComponent(back)}`, new URLSearchParams({ email }))
    )
  return { ...clerk, appUrl: url, browser, visit, signIn }
})

for (const instance of ["development", "production"] as const) {
  describe(`the Frontend API of a ${instance} instance`, () => {
    it.effect("signs a browser in to the application, with a token for its origin", () =>
      Effect.gen(function* () {
        const { admin, appUrl, browser, signIn, url, users, visit } = yield* application(instance)
        assert.deepInclude(yield* visit(), { status: "signed-out", reason: "session-token-and-uat-missing" })
        const back = yield* signIn("premium@example.com", `${appUrl}/deep/page?kept=a%26b`)
        assert.deepInclude(JSON.parse(back.html), {
          status: "signed-in",
          sub: users.premium.id,
          iss: url,
          azp: appUrl
        })
        assert.strictEqual(back.url.href, `${appUrl}/deep/page?kept=a%26b`)
        assert.isTrue(browser.cookies.some((cookie) => /^__session_[\w-]{8}=ey/.test(cookie)))
        assert.notInclude(browser.cookies.join(), "handshake")
        yield* admin.forgetRequests
        assert.deepInclude(yield* visit(), { status: "signed-in" })
        assert.strictEqual(yield* admin.countRequests("/v1/client/handshake"), 0)
      })
    )

    it.effect("replaces an expired token by a handshake", () =>
      Effect.gen(function* () {
        const { admin, signIn, users, visit } = yield* application(instance)
        yield* admin.setTokenLifetimes({ sessionSeconds: 2 })
        yield* signIn("member@example.com")
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 2100)))
        yield* admin.forgetRequests
        assert.deepInclude(yield* visit(), { status: "signed-in", sub: users.member.id })
        assert.strictEqual(yield* admin.countRequests("/v1/client/handshake"), 1)
      })
    )

    it.effect("a browser whose session has ended comes back signed out", () =>
      Effect.gen(function* () {
        const { admin, appUrl, browser, signIn, url } = yield* application(instance)
        yield* signIn("member@example.com")
        const [session] = yield* admin.sessionsOf("member@example.com")
        yield* admin.endSession(session?.id ?? "")
        const handshake = `${url}/v1/client/handshake?redirect_url=${encodeURIComponent(`${appUrl}/`)}&format=token`
        const page = yield* Effect.promise(() => browser.open(handshake))
        assert.deepInclude(JSON.parse(page.html), { status: "signed-out" })
        assert.isFalse(browser.cookies.some((cookie) => cookie.startsWith("__session")))
        assert.isTrue(browser.cookies.includes("__client_uat=0"))
      })
    )
  })
}

describe("the Frontend API of either instance", () => {
  it.effect("signs handshakes that the SDK verifies, with the category of session tokens", () =>
    Effect.gen(function* () {
      const { appUrl, browser, url, signIn } = yield* application("development")
      yield* signIn("admin@example.com")
      const handshake = `${url}/v1/client/handshake?redirect_url=${encodeURIComponent(`${appUrl}/page`)}`
      const answer = yield* Effect.promise(() => browser.send(handshake))
      assert.strictEqual(answer.status, 307)
      const token = new URL(answer.headers.get("location") ?? "").searchParams.get("__clerk_handshake") ?? ""
      assert.propertyVal(jose.decodeProtectedHeader(token), "cat", "cl_B7d4PD111AAA")
      const page = yield* Effect.promise(() => browser.open(answer.headers.get("location") ?? ""))
      assert.strictEqual(page.url.href, `${appUrl}/page`)
      assert.deepInclude(JSON.parse(page.html), { status: "signed-in" })
    })
  )

  it.effect("gives out what is behind a nonce once, and to the secret key only", () =>
    Effect.gen(function* () {
      const { appUrl, settings, url } = yield* application("development")
      const address = `${url}/v1/client/handshake?redirect_url=${encodeURIComponent(appUrl)}&format=nonce`
      const answer = yield* Effect.promise(() => fetch(address, { redirect: "manual" }))
      const nonce = new URL(answer.headers.get("location") ?? "").searchParams.get("__clerk_handshake_nonce") ?? ""
      const redeem = (key: string) =>
        Effect.promise(async () => {
          const headers = { authorization: `Bearer ${key}` }
          return (await fetch(`${url}/v1/clients/handshake_payload?nonce=${nonce}`, { headers })).status
        })
      assert.strictEqual(yield* redeem("sk_test_wrong"), 401)
      assert.strictEqual(yield* redeem(settings.CLERK_SECRET_KEY), 200)
      assert.strictEqual(yield* redeem(settings.CLERK_SECRET_KEY), 404)
    })
  )

  it.effect("sends browsers to registered applications only", () =>
    Effect.gen(function* () {
      const { appUrl, url } = yield* application("development")
      for (const target of [
        "https://evil.example/",
        `${appUrl}.evil.example/`,
        "javascript:alert(1)",
        "//evil.example"
      ]) {
        for (const path of ["/v1/client/handshake", "/sign-in"]) {
          const address = `${url}${path}?redirect_url=${encodeURIComponent(target)}`
          const answer = yield* Effect.promise(() => fetch(address, { redirect: "manual" }))
          assert.strictEqual(answer.status, 400, `${path} ${target}`)
        }
      }
    })
  )

  it.effect("refuses strangers and banned people on the sign-in page", () =>
    Effect.gen(function* () {
      const { admin, signIn } = yield* application("development")
      assert.include((yield* signIn("nobody@example.com")).html, "No account has this e-mail address")
      assert.include((yield* signIn("banned@example.com")).html, "banned")
      assert.lengthOf(yield* admin.sessionsOf("banned@example.com"), 0)
    })
  )

  it.effect("does not ask a person again who is signed in", () =>
    Effect.gen(function* () {
      const { appUrl, browser, signIn, url } = yield* application("development")
      yield* signIn("admin@example.com")
      const page = yield* Effect.promise(() =>
        browser.open(`${url}/sign-in?redirect_url=${encodeURIComponent(`${appUrl}/again`)}`)
      )
      assert.strictEqual(page.url.href, `${appUrl}/again`)
    })
  )
})
