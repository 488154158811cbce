import { assert, layer } from "@effect/vitest"

import { AppPerson } from "../../support/AppPerson.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { deliver, opened, within } from "../../support/OpenSession.ts"
import { leftFor } from "../../support/Person.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { payloadOf, signState } from "../../support/SignedState.ts"
import type { Page } from "../../support/WebBrowser.ts"
import { legacy } from "../../support/Wire.ts"

/** Nothing listens there: what the app would do in these tests, the browser does. */
const app = "http://127.0.0.1:3999"

/** Somebody who has consented and stands before the app, signed in. */
const before = async (server: Server, email = "admin@example.com") => {
  const client = await OAuthClient.register(server.mcp)
  const attempt = await client.begin()
  const person = await AppPerson.in(server, email)
  const address = await person.consent(attempt.address)
  return { client, attempt, person, address, state: address.searchParams.get("state") ?? "" }
}
type Before = Awaited<ReturnType<typeof before>>

/** A page that refuses, leads nowhere, and leaves nothing behind. */
const isRefused = (page: Page, words: RegExp, status = 400) => {
  assert.strictEqual(page.status, status)
  assert.isNull(page.headers.get("location"))
  for (const cookie of page.headers.getSetCookie()) assert.match(cookie, /=; .*Max-Age=0/u)
  assert.match(page.html, words)
}

/** What the client is told when the proof is this one. */
const toldWith = async (server: Server, { person, attempt, state }: Before, token: string) => {
  const posted = await person.post({ state, session_token: token })
  const back = leftFor(await person.browser.open(posted.headers.get("location") ?? ""))
  assert.strictEqual(back.searchParams.get("state"), attempt.state)
  assert.strictEqual(back.searchParams.get("iss"), server.url)
  assert.isNull(back.searchParams.get("code"))
  return [back.searchParams.get("error"), back.searchParams.get("error_description")] as const
}

/** That nothing was used up: the same sign-in still comes to its end. */
const stillWorks = async (server: Server, { client, attempt, person, state }: Before) => {
  const posted = await person.post({ state, session_token: await person.token() })
  const back = leftFor(await person.browser.open(posted.headers.get("location") ?? ""))
  assert.strictEqual((await client.redeem(attempt, back)).token_type, "bearer")
  return back
}

layer(RunningServer.layerWithApp(app))("sign-in through an app", (it) => {
  it.effect(
    "goes from consent to the app, and with the app's proof to an access token",
    onServer(async (server) => {
      const { client, attempt, person, address, state } = await before(server)
      assert.strictEqual(address.origin + address.pathname, `${app}/auth/mcp`)
      assert.sameMembers([...address.searchParams.keys()], ["state"])
      const token = await person.token()
      const posted = await person.post({ state, session_token: token })
      const location = posted.headers.get("location") ?? ""
      assert.strictEqual(posted.status, 302)
      assert.isTrue(location.startsWith(`${server.url}/callback?state=`))
      assert.notInclude(location, token)
      assert.match(
        posted.headers.getSetCookie().join(),
        /^__Host-app-proof-[\w-]{16}=[\w.-]+; Path=\/; Max-Age=60; HttpOnly; Secure; SameSite=Lax$/u
      )
      const tokens = await client.redeem(attempt, leftFor(await person.browser.open(location)))
      assert.notInclude(person.browser.cookies.join(), token)
      const reply = await legacy(server.mcp, tokens.access_token, "tools/call", { name: "whoAmI", arguments: {} })
      assert.deepInclude(reply.result?.["structuredContent"], { email: person.email, clerkSessionId: person.sessionId })
      assert.notInclude(server.logs().join("\n"), token)
    })
  )

  it.effect(
    "a form of another site is refused, whatever it holds, and uses nothing up",
    onServer(async (server) => {
      const start = await before(server)
      const { person, state } = start
      const fields = { state, session_token: await person.token() }
      for (const origin of [
        "null",
        "https://evil.example",
        `${app}.evil.example`,
        "http://localhost:3999",
        server.url
      ]) {
        isRefused(await person.post(fields, origin), /not sent by 127\.0\.0\.1:3999/u)
      }
      await stillWorks(server, start)
    })
  )

  it.effect(
    "a state that is forged, expired or of another purpose is refused before any storage is asked",
    onServer(async (server) => {
      const start = await before(server)
      const { person, state } = start
      const handle = payloadOf(state)
      const purpose = "app-sign-in"
      const wrong: Readonly<Record<string, RegExp>> = {
        "": /not started here/u,
        [handle]: /not started here/u,
        [signState(handle, { purpose: "sign-in" })]: /not started here/u,
        [signState(handle, { purpose, key: Buffer.alloc(32, 1).toString("base64") })]: /not started here/u,
        [signState(handle, { purpose, expiresAt: Date.now() - 1 })]: /took too long/u
      }
      for (const [forged, words] of Object.entries(wrong)) {
        isRefused(await person.post({ state: forged, session_token: await person.token() }), words)
      }
      await stillWorks(server, start)
    })
  )

  it.effect(
    "a state of somebody else does not serve the visitor to whom it was sent, and a state gives one code",
    onServer(async (server) => {
      const attacker = await before(server, "member@example.com")
      const victim = await AppPerson.in(server, "admin@example.com")
      // The visitor follows the attacker's link to the app, which makes the browser post.
      const posted = await victim.post({ state: attacker.state, session_token: await victim.token() })
      isRefused(await victim.browser.open(posted.headers.get("location") ?? ""), /cannot be continued/u)
      // The attacker's browser has the binding, but not the proof.
      const back = leftFor(await attacker.person.browser.open(posted.headers.get("location") ?? ""))
      assert.strictEqual(back.searchParams.get("error"), "invalid_request")

      const again = await before(server)
      const first = await stillWorks(server, again)
      const replayed = await again.person.post({ state: again.state, session_token: await again.person.token() })
      const second = leftFor(await again.person.browser.open(replayed.headers.get("location") ?? ""))
      assert.strictEqual(second.href, first.href)
    })
  )

  it.effect(
    "a token in an address is refused, and uses nothing up",
    onServer(async (server) => {
      const start = await before(server)
      const { person, state } = start
      const url = new URL("/callback", server.url)
      url.search = new URLSearchParams({ state, session_token: await person.token() }).toString()
      isRefused(await person.browser.send(url), /never in an address/u)
      await stillWorks(server, start)
    })
  )

  it.effect(
    "only a living session token that this app got from this instance proves anything",
    onServer(async (server) => {
      const mint = async (path: string) => {
        const response = await fetch(`${server.clerk.url}/v1/sessions/${path}`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${server.clerk.settings.CLERK_SECRET_KEY}`,
            "content-type": "application/json"
          },
          body: "{}"
        })
        return (await response.json<{ readonly jwt: string }>()).jwt
      }
      const untrusted = /proof of identity could not be trusted/u
      const proofs: Readonly<Record<string, (start: Before) => Promise<string>>> = {
        "of another app": ({ person }) => person.token("https://other.example.com"),
        "of no app": ({ person }) => mint(`${person.sessionId}/tokens`),
        "of a JWT template": ({ person }) => mint(`${person.sessionId}/tokens/mcp-server`),
        "of another key": async ({ person }) =>
          `${(await person.token()).split(".").slice(0, 2).join(".")}.${"A".repeat(342)}`
      }
      for (const [what, proof] of Object.entries(proofs)) {
        const start = await before(server)
        const [error, description] = await toldWith(server, start, await proof(start))
        assert.strictEqual(error, "server_error", what)
        assert.match(description ?? "", untrusted, what)
      }

      const early = await before(server)
      await server.admin((admin) => admin.setClockOffset(-70))
      const expired = await early.person.token()
      await server.admin((admin) => admin.setClockOffset(0))
      assert.strictEqual((await toldWith(server, early, expired))[0], "server_error")

      const ended = await before(server)
      const last = await ended.person.token()
      await server.admin((admin) => admin.endSession(ended.person.sessionId))
      assert.deepStrictEqual((await toldWith(server, ended, last))[0], "access_denied")

      const banned = await before(server, "premium@example.com")
      const proof = await banned.person.token()
      await server.admin((admin) => admin.ban("premium@example.com"))
      assert.strictEqual((await toldWith(server, banned, proof))[0], "access_denied")
      await server.admin((admin) => admin.unban("premium@example.com"))

      for (const nothing of ["", "no token", "a.b.c; Domain=evil.example", `a.b.${"c".repeat(4_000)}`]) {
        const start = await before(server)
        isRefused(await start.person.post({ state: start.state, session_token: nothing }), /sent no session token/u)
      }
    })
  )

  it.effect(
    "the app may send somebody back without a proof",
    onServer(async (server) => {
      const { person, attempt, state } = await before(server)
      const posted = await person.post({ state, error: "access_denied" })
      const back = leftFor(await person.browser.open(posted.headers.get("location") ?? ""))
      assert.strictEqual(back.searchParams.get("error"), "access_denied")
      assert.strictEqual(back.searchParams.get("state"), attempt.state)
    })
  )

  it.effect(
    "a Clerk session that ends takes along what is open under its grants, within 1 s of the webhook, and no more",
    onServer(async (server) => {
      const signedIn = async () => {
        const { client, attempt, person, state } = await before(server, "member@example.com")
        const posted = await person.post({ state, session_token: await person.token() })
        const back = leftFor(await person.browser.open(posted.headers.get("location") ?? ""))
        const { access_token: token } = await client.redeem(attempt, back)
        return { person, token, session: await opened(server, token) }
      }
      const [ended, kept] = [await signedIn(), await signedIn()]
      const { id } = server.clerk.users.member
      const event = { object: "session", id: ended.person.sessionId, user_id: id, status: "ended" }
      // Clerk does not say so yet.
      await deliver(server, "session.ended", event)
      assert.isFalse(await within(1_500, () => !ended.session.state.open))

      await server.admin((admin) => admin.endSession(ended.person.sessionId))
      await deliver(server, "session.ended", event)
      assert.isTrue(await within(1_000, () => !ended.session.state.open))
      assert.strictEqual((await legacy(server.mcp, ended.token, "ping")).status, 401)
      assert.isTrue(kept.session.state.open)
      assert.strictEqual((await kept.session.send("ping")).status, 200)
    })
  )
})
