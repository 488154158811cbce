import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as jose from "jose"

import type { startApp } from "../../dev/LocalApp.ts"
import { exampleApps } from "../support/ExampleApps.ts"
import { platform } from "../support/LocalServer.ts"
import { clerkForApp, mcpServerUrl } from "../support/StandInApp.ts"
import { formOf, jsonOf } from "../../src/server/testing/Visitor.ts"

/** An application, run as it would be deployed, with a Clerk stand-in beside it. */
const running = Effect.fnUntraced(function* (start: typeof startApp) {
  const app = yield* clerkForApp()
  const { url } = yield* start({ port: app.port, mcpServerUrl, clerk: app.clerk, quiet: true })
  assert.strictEqual(url, app.appUrl)
  const api = (path: string, token?: string) =>
    Effect.promise(async () => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const response = await fetch(`${url}${path}`, { headers })
      return { status: response.status, headers: response.headers, body: await jsonOf(response) }
    })
  return { ...app, api }
})

class ExampleApp extends Context.Service<ExampleApp, Effect.Success<ReturnType<typeof running>>>()("test/ExampleApp") {
  static readonly layer = (start: typeof startApp) =>
    Layer.effect(ExampleApp, running(start)).pipe(Layer.provide(platform))
}

for (const [name, start] of Object.entries(exampleApps)) {
  layer(ExampleApp.layer(start), { excludeTestServices: true, timeout: 120_000 })(`the ${name} example`, (it) => {
    it.effect("signs a person in on the way to the MCP server", () =>
      Effect.gen(function* () {
        const { appUrl, clerk, signIn } = yield* ExampleApp
        const state = `"><script>alert(1)</script>`
        const { form, page } = yield* signIn("artist@example.com", `/auth/mcp?state=${encodeURIComponent(state)}`)
        assert.strictEqual(form.url.origin, clerk.url)
        assert.strictEqual(page.status, 200)
        assert.strictEqual(page.headers.get("cache-control"), "no-store")
        assert.strictEqual(page.headers.get("referrer-policy"), "origin")
        assert.match(page.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'$/u)
        assert.notInclude(page.headers.get("content-security-policy"), "form-action")
        assert.include(page.html, `action="${mcpServerUrl}/callback"`)
        assert.strictEqual(page.html.match(/<script/gu)?.length, 1)
        const token = formOf(page.html).get("session_token") ?? ""
        const claims: object = jose.decodeJwt(token)
        assert.deepInclude(claims, { azp: appUrl, iss: clerk.url, sub: clerk.users.artist.id })
      })
    )

    it.effect("says at home who is signed in, and ends the session on request", () =>
      Effect.gen(function* () {
        const { appUrl, browser, clerk } = yield* ExampleApp
        const visitor = browser()
        const open = (address: string, form?: Record<string, string>) =>
          Effect.promise(() => visitor.open(address, form === undefined ? undefined : new URLSearchParams(form)))
        const link = /<a href="([^"]+)">Sign in/u.exec((yield* open(`${appUrl}/`)).html)?.[1] ?? ""
        const form = yield* open(link)
        yield* clerk.admin.setRole("premium@example.com", "<i>premium</i>")
        const home = yield* open(form.url.href, { email: "premium@example.com" })
        assert.strictEqual(home.url.href, `${appUrl}/`)
        assert.include(home.html, "premium@example.com")
        assert.notInclude(home.html, "<i>")
        yield* clerk.admin.setRole("premium@example.com", "premium")
        const [session] = yield* clerk.admin.sessionsOf("premium@example.com")
        assert.strictEqual(session?.status, "active")
        const foreign = yield* Effect.promise(() =>
          visitor.send(`${appUrl}/sign-out`, new URLSearchParams(), { origin: "http://127.0.0.1:1" })
        )
        assert.strictEqual(foreign.status, 403)
        assert.strictEqual((yield* clerk.admin.sessionsOf("premium@example.com"))[0]?.status, "active")
        const after = yield* open(`${appUrl}/sign-out`, {})
        assert.include(after.html, "You are not signed in.")
        assert.strictEqual((yield* clerk.admin.sessionsOf("premium@example.com"))[0]?.status, "revoked")
        const again = yield* open(`${appUrl}/auth/mcp?state=s`)
        assert.strictEqual(again.url.pathname, "/sign-in")
      })
    )

    it.effect("/api/me answers the user of the token, with the role as it is now", () =>
      Effect.gen(function* () {
        const { api, clerk, templateToken } = yield* ExampleApp
        const { body, headers, status } = yield* api("/api/me", yield* templateToken("admin@example.com"))
        assert.strictEqual(status, 200)
        assert.strictEqual(headers.get("cache-control"), "no-store")
        const { email, firstName, id, lastName, role } = clerk.users.admin
        assert.deepEqual(body, { id, email, firstName, lastName, role })
        const member = yield* api("/api/me", yield* templateToken("member@example.com"))
        assert.deepInclude(member.body, { email: "member@example.com", role: null })
      })
    )

    it.effect("/api/users pages through everyone for administrators", () =>
      Effect.gen(function* () {
        const { api, clerk, templateToken } = yield* ExampleApp
        const token = yield* templateToken("admin@example.com")
        const page = (query: string) => Effect.map(api(`/api/users${query}`, token), ({ body }) => body)
        const emails = (body: Readonly<Record<string, unknown>>) =>
          (body["users"] as Array<any>).map((one) => one.email)
        const everyone = Object.values(clerk.users).map(({ email }) => email)
        const all = yield* page("")
        assert.deepEqual(emails(all), everyone)
        assert.strictEqual(all["total"], everyone.length)
        assert.deepEqual(Object.keys((all["users"] as Array<any>)[0]), ["id", "email", "firstName", "lastName", "role"])
        const second = yield* page("?limit=2&offset=2")
        assert.deepEqual(emails(second), everyone.slice(2, 4))
        assert.strictEqual(second["total"], everyone.length)
        assert.deepEqual(emails(yield* page("?limit=100&offset=500")), [])
        for (const query of ["?limit=0", "?limit=101", "?limit=x", "?limit=1.5", "?offset=-1", "?limit="]) {
          const { body, status } = yield* api(`/api/users${query}`, token)
          assert.deepInclude({ status, error: body["error"] }, { status: 400, error: "invalid_request" }, query)
        }
      })
    )

    it.effect("/api/users is for administrators", () =>
      Effect.gen(function* () {
        const { api, templateToken } = yield* ExampleApp
        for (const email of ["member@example.com", "premium@example.com"]) {
          const { body, status } = yield* api("/api/users", yield* templateToken(email))
          assert.deepInclude({ status, error: body["error"] }, { status: 403, error: "forbidden" }, email)
        }
      })
    )

    it.effect("the API accepts nothing but tokens of the template", () =>
      Effect.gen(function* () {
        const { api, refusedTokens } = yield* ExampleApp
        const tokens = { "no token": Effect.succeed(undefined), ...refusedTokens }
        for (const [name, make] of Object.entries(tokens)) {
          const token = yield* make
          for (const path of ["/api/me", "/api/users"]) {
            const { body, headers, status } = yield* api(path, token)
            assert.deepInclude({ status, error: body["error"] }, { status: 401, error: "invalid_token" }, name)
            assert.strictEqual(headers.get("www-authenticate"), 'Bearer error="invalid_token"', name)
          }
        }
      })
    )

    it.effect("a deleted user's token is refused, and an outage of Clerk is said to be one", () =>
      Effect.gen(function* () {
        const { api, clerk, templateToken } = yield* ExampleApp
        const token = yield* templateToken("artist@example.com")
        yield* clerk.admin.addFault({ path: "/v1/users", effect: { kind: "rate_limited", retryAfterSeconds: 1 } })
        assert.strictEqual((yield* api("/api/me", token)).status, 503)
        yield* clerk.admin.deleteUser("artist@example.com")
        assert.strictEqual((yield* api("/api/me", token)).status, 401)
        yield* clerk.admin.reset
      })
    )
  })
}
