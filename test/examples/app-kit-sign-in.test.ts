import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as jose from "jose"
import { createHash } from "node:crypto"

import type { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { cookieSuffixOf } from "../../dev/clerk/StandInOptions.ts"
import { readSettings } from "../../examples/app-kit/src/Settings.ts"
import { mcpSignIn, type SignInOptions } from "../../examples/app-kit/src/SignIn.ts"
import { serve } from "../support/FetchServer.ts"
import { clerkForApp, mcpServerUrl } from "../support/StandInApp.ts"
import { formOf } from "../../src/server/testing/Visitor.ts"

type Instance = Parameters<typeof clerkForApp>[0]

/** Replaces the browser's session token by one that has expired, as time would. */
const oldToken = async ({ admin, users }: ClerkStandIn["Service"], request: Request) => {
  const make = Effect.gen(function* () {
    const [session] = yield* admin.sessionsOf(users.member.id)
    yield* admin.setTokenLifetimes({ sessionSeconds: -60 })
    const token = yield* admin.mintSessionToken(session?.id ?? "", new URL(request.url).origin)
    yield* admin.setTokenLifetimes({ sessionSeconds: 60 })
    return token
  })
  const token = await Effect.runPromise(make)
  const headers = new Headers()
  for (const [name] of (request.headers.get("cookie") ?? "").matchAll(/__session[\w-]*(?==)/gu)) {
    headers.append("set-cookie", `${name}=${token}; Path=/`)
  }
  return new Response(null, { headers })
}

const fixture = Effect.fnUntraced(function* (instance?: Instance, options?: SignInOptions) {
  const app = yield* clerkForApp(instance)
  const handler = mcpSignIn(readSettings(app.settings), options)
  yield* serve(app.port, (request) =>
    new URL(request.url).pathname === "/old-token" ? oldToken(app.clerk, request) : handler(request)
  )
  return { ...app, handler }
})

for (const instance of ["development", "production"] as const) {
  describe(`/auth/mcp with a ${instance} instance`, () => {
    it.effect("leads through sign-in to a form for the MCP server", () =>
      Effect.gen(function* () {
        const { appUrl, clerk, signIn } = yield* fixture(instance)
        const { browser, form, page } = yield* signIn("premium@example.com", "/auth/mcp?state=abc.def")
        assert.strictEqual(form.url.origin, clerk.url)
        assert.strictEqual(form.url.searchParams.get("redirect_url"), `${appUrl}/auth/mcp?state=abc.def`)
        assert.strictEqual(page.url.href, `${appUrl}/auth/mcp?state=abc.def`)
        assert.strictEqual(page.status, 200)
        const fields = formOf(page.html)
        assert.deepEqual([...fields.keys()], ["state", "session_token"])
        assert.strictEqual(fields.get("state"), "abc.def")
        const claims = jose.decodeJwt(fields.get("session_token") ?? "")
        const [session] = yield* clerk.admin.sessionsOf("premium@example.com")
        assert.deepInclude(claims, { azp: appUrl, iss: clerk.url, sub: clerk.users.premium.id, sid: session?.id })
        assert.isTrue(browser.cookies.some((cookie) => cookie.startsWith("__session=")))
      })
    )

    it.effect("asks who it is when the session has ended, though its token is good yet", () =>
      Effect.gen(function* () {
        const { appUrl, clerk, signIn } = yield* fixture(instance)
        const { browser } = yield* signIn("premium@example.com", "/auth/mcp?state=abc")
        const [session] = yield* clerk.admin.sessionsOf("premium@example.com")
        yield* clerk.admin.endSession(session?.id ?? "")
        yield* Effect.promise(async () => {
          const form = await browser.open(`${appUrl}/auth/mcp?state=abc`)
          assert.strictEqual(form.url.pathname, "/sign-in")
          const page = await browser.open(form.url, new URLSearchParams({ email: "premium@example.com" }))
          const { sid } = jose.decodeJwt(formOf(page.html).get("session_token") ?? "")
          assert.match(String(sid), /^sess_/u)
          assert.notStrictEqual(sid, session?.id)
        })
      })
    )

    it.effect("gets a fresh token for a person who is signed in", () =>
      Effect.gen(function* () {
        const { appUrl, clerk, signIn } = yield* fixture(instance)
        const { browser, page } = yield* signIn("member@example.com", "/auth/mcp?state=first")
        yield* Effect.promise(() => browser.send(`${appUrl}/old-token`))
        yield* clerk.admin.forgetRequests
        const again = yield* Effect.promise(() => browser.open(`${appUrl}/auth/mcp?state=second`))
        assert.strictEqual(again.url.href, `${appUrl}/auth/mcp?state=second`)
        const token = formOf(again.html).get("session_token") ?? ""
        assert.notStrictEqual(token, formOf(page.html).get("session_token"))
        assert.isAbove((jose.decodeJwt(token).exp ?? 0) * 1000, Date.now())
        assert.strictEqual(yield* clerk.admin.countRequests("/v1/client/handshake"), 1)
      })
    )
  })
}

describe("Clerk's parameters in a link that somebody made up", () => {
  for (const [instance, parameter] of [
    ["development", "__clerk_redirect_url=http://evil.example/steal"],
    ["production", "__clerk_redirect_url=http://evil.example/steal"],
    ["production", "__clerk_handshake=a.b.c"],
    ["production", "__clerk_handshake_nonce=n"],
    ["production", "__clerk_db_jwt=dvb_x"]
  ] as const) {
    it.effect(`change nothing for a visitor who is signed in: ${parameter}, ${instance}`, () =>
      Effect.gen(function* () {
        const { appUrl, clerk, signIn } = yield* fixture(instance)
        const { browser } = yield* signIn("premium@example.com", "/auth/mcp?state=abc")
        const [session] = yield* clerk.admin.sessionsOf("premium@example.com")
        const page = yield* Effect.promise(() => browser.send(`${appUrl}/auth/mcp?state=abc&${parameter}`))
        assert.strictEqual(page.status, 200)
        assert.strictEqual(jose.decodeJwt(formOf(page.html).get("session_token") ?? "")["sid"], session?.id)
      })
    )
  }
})

/** What a browser of a development instance sends that holds this session token. */
const browserHeaders = (settings: { readonly CLERK_PUBLISHABLE_KEY: string }, token: string) => {
  const suffix = cookieSuffixOf(settings.CLERK_PUBLISHABLE_KEY)
  const cookies = { __clerk_db_jwt: "dvb_1", __client_uat: "1", __session: token }
  const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}; ${name}_${suffix}=${value}`)
  return { accept: "text/html", cookie: cookie.join("; ") }
}

describe("the page for the MCP server", () => {
  it.effect("posts to the configured address, whatever the request says", () =>
    Effect.gen(function* () {
      const { appUrl, browser, clerk, settings } = yield* fixture()
      const forwarded = { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" }
      const visitor = browser()
      const form = yield* Effect.promise(() => visitor.open(`${appUrl}/auth/mcp?state=s`, undefined, forwarded))
      assert.strictEqual(
        form.url.href,
        `${settings.CLERK_SIGN_IN_URL}?redirect_url=${encodeURIComponent(`${appUrl}/auth/mcp?state=s`)}`
      )
      const body = new URLSearchParams({ email: "member@example.com" })
      const page = yield* Effect.promise(() => visitor.open(form.url, body, forwarded))
      assert.include(page.html, `<form method="post" action="${mcpServerUrl}/callback">`)
      assert.notInclude(page.html, "evil")
      assert.strictEqual(yield* clerk.admin.countRequests("/v1/client/handshake"), 2)
    })
  )

  it.effect("has the headers of a page with a token in it, and no form-action", () =>
    Effect.gen(function* () {
      const { signIn } = yield* fixture()
      const { page } = yield* signIn("member@example.com", "/auth/mcp?state=s")
      const script = /<script>(.*)<\/script>/u.exec(page.html)?.[1] ?? ""
      const hash = createHash("sha256").update(script).digest("base64")
      assert.strictEqual(page.headers.get("cache-control"), "no-store")
      assert.strictEqual(page.headers.get("referrer-policy"), "origin")
      assert.strictEqual(
        page.headers.get("content-security-policy"),
        `default-src 'none'; script-src 'sha256-${hash}'; base-uri 'none'; frame-ancestors 'none'`
      )
      assert.match(page.html, /<button type="submit">Continue<\/button>/u)
    })
  )

  it.effect("is not for scripts and frames", () =>
    Effect.gen(function* () {
      const { appUrl, signIn } = yield* fixture()
      const { browser } = yield* signIn("member@example.com", "/auth/mcp?state=s")
      for (const destination of ["empty", "iframe", "script"]) {
        const page = yield* Effect.promise(() =>
          browser.send(`${appUrl}/auth/mcp?state=s`, undefined, { "sec-fetch-dest": destination })
        )
        assert.strictEqual(page.status, 403)
        assert.notInclude(page.html, "eyJ")
      }
    })
  )

  it.effect("keeps a state with quotes and angle brackets inside its attribute", () =>
    Effect.gen(function* () {
      const { signIn } = yield* fixture()
      const state = `"><script>alert('1')</script>&amp;`
      const { page } = yield* signIn("member@example.com", `/auth/mcp?state=${encodeURIComponent(state)}`)
      assert.strictEqual(page.html.match(/<script/gu)?.length, 1)
      const escaped = formOf(page.html).get("state") ?? ""
      assert.strictEqual(
        escaped.replace(/&#(\d+);/gu, (_, code: string) => String.fromCodePoint(Number(code))),
        state
      )
    })
  )

  it.effect("says access_denied instead of a token for people whom the application declines", () =>
    Effect.gen(function* () {
      const { signIn } = yield* fixture("development", { decline: (session) => session.sessionId !== "" })
      const { page } = yield* signIn("member@example.com", "/auth/mcp?state=s")
      assert.deepEqual(
        [...formOf(page.html)],
        [
          ["state", "s"],
          ["error", "access_denied"]
        ]
      )
      assert.notInclude(page.html, "eyJ")
    })
  )

  it.effect("needs one state, and is only visited", () =>
    Effect.gen(function* () {
      const { appUrl, handler } = yield* fixture()
      const ask = (path: string, method = "GET") =>
        Effect.promise(async () => (await handler(new Request(`${appUrl}${path}`, { method }))).status)
      for (const path of [
        "/auth/mcp",
        "/auth/mcp?state=",
        "/auth/mcp?state=a&state=b",
        `/auth/mcp?state=${"a".repeat(4097)}`
      ]) {
        assert.strictEqual(yield* ask(path), 400, path)
      }
      assert.strictEqual(yield* ask("/auth/mcp?state=s", "POST"), 405)
    })
  )

  it.effect("sends people to the sign-in page whose session still waits for something", () =>
    Effect.gen(function* () {
      const { appUrl, clerk, forge, handler, settings } = yield* fixture()
      const session = yield* clerk.admin.createSession("member@example.com")
      const claims = { sid: session.id, azp: appUrl, sts: "pending", v: 2, aud: undefined }
      const token = yield* forge(claims, { cat: "cl_B7d4PD111AAA" })
      const headers = browserHeaders(settings, token)
      const answer = yield* Effect.promise(() => handler(new Request(`${appUrl}/auth/mcp?state=s`, { headers })))
      assert.strictEqual(answer.status, 303)
      assert.isTrue(answer.headers.get("location")?.startsWith(settings.CLERK_SIGN_IN_URL))
    })
  )

  it.effect("does not send people around in circles whose token is for another application", () =>
    Effect.gen(function* () {
      const { appUrl, clerk, handler, settings } = yield* fixture()
      const session = yield* clerk.admin.createSession("member@example.com")
      for (const token of [
        yield* clerk.admin.mintSessionToken(session.id, "https://other.example.com"),
        yield* Effect.map(clerk.admin.mintSessionToken(session.id, appUrl), (jwt) => `${jwt.slice(0, -9)}AAAAAAAAA`)
      ]) {
        const headers = browserHeaders(settings, token)
        const answer = yield* Effect.promise(() => handler(new Request(`${appUrl}/auth/mcp?state=s`, { headers })))
        assert.strictEqual(answer.status, 500)
        assert.notInclude(yield* Effect.promise(() => answer.text()), "eyJ")
      }
    })
  )
})
