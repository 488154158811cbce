import { assert, layer } from "@effect/vitest"

import { OAuthClient, type Parameters } from "../../support/OAuthClient.ts"
import { consentForm } from "../../support/Person.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import type { Page } from "../../support/WebBrowser.ts"
import { unread } from "../../support/Unread.ts"

/** A person looks at the consent page. */
const looking = async (server: Server, request?: Parameters) => {
  const client = await OAuthClient.register(server.mcp)
  const attempt = await client.begin(request)
  const person = server.person("admin@example.com")
  const page = await person.browser.open(attempt.address)
  return { client, attempt, person, page, form: consentForm(page), target: `${server.url}/authorize` }
}

const isRefused = (page: Page, status = 400) => {
  assert.strictEqual(page.status, status, page.html)
  assert.isNull(page.headers.get("location"))
  assert.match(page.html, /Reference: <code>[2-9A-Z]{8}<\/code>/u)
}

layer(RunningServer.layer)("attacks on consent", (it) => {
  it.effect(
    "a consent form is worth nothing in another browser",
    onServer(async (server) => {
      const { form, target, person } = await looking(server)
      isRefused(await server.person("member@example.com").browser.send(target, form, { origin: server.url }))
      // With a consent of its own open, too.
      const other = await looking(server)
      isRefused(await other.person.browser.send(target, form))
      // It is still open where it belongs.
      assert.strictEqual((await person.browser.send(target, form)).status, 302)
    })
  )

  for (const origin of ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"]) {
    it.effect(
      `a form that was sent by a page of ${origin} is refused`,
      onServer(async (server) => {
        const { form, target, person } = await looking(server)
        isRefused(await person.browser.send(target, form, { origin }))
        assert.strictEqual((await person.browser.send(target, form)).status, 302)
      })
    )
  }

  it.effect(
    "a form without a decision, or with another one, decides nothing",
    onServer(async (server) => {
      const { form, target, person } = await looking(server)
      for (const decision of [undefined, "", "yes", "APPROVE"]) {
        const sent = new URLSearchParams(form)
        sent.delete("decision")
        if (decision !== undefined) sent.set("decision", decision)
        isRefused(await person.browser.send(target, sent))
      }
      assert.strictEqual((await person.browser.send(target, form)).status, 302)
    })
  )

  it.effect(
    "a form with a changed handle, or without one, is refused",
    onServer(async (server) => {
      const { form, target, person } = await looking(server)
      const handle = form.get("handle") ?? ""
      const changed = `${handle.slice(0, -2)}${handle.endsWith("AA") ? "BB" : "AA"}`
      for (const wrong of [changed, "", "x".repeat(10_000), "../../etc/passwd", "grant:x:y"]) {
        const sent = new URLSearchParams(form)
        sent.set("handle", wrong)
        isRefused(await person.browser.send(target, sent))
      }
    })
  )

  it.effect(
    "a scope outside the catalogue cannot be smuggled into the form",
    onServer(async (server) => {
      for (const scope of ["admin", "paint:use mcp:tools", "openid", "*"]) {
        const { form, target, person } = await looking(server)
        form.append("scope", scope)
        isRefused(await person.browser.send(target, form))
      }
    })
  )

  it.effect(
    "a form counts once: sent again it leads to the same sign-in, and filled in otherwise nowhere",
    onServer(async (server) => {
      const { form, target, person } = await looking(server)
      const [first, second] = [await person.browser.send(target, form), await person.browser.send(target, form)]
      assert.strictEqual(first.status, 302)
      assert.strictEqual(second.headers.get("location"), first.headers.get("location"))
      form.append("scope", "paint:use")
      isRefused(await person.browser.send(target, form))
    })
  )

  it.effect(
    "whoever denies gives nothing: the client learns it, the form is used up, nobody was sent to Clerk",
    onServer(async (server) => {
      const { attempt, form, target, person } = await looking(server)
      form.set("decision", "deny")
      const denied = await person.browser.send(target, form)
      const back = new URL(denied.headers.get("location") ?? "")
      assert.strictEqual(denied.status, 302)
      assert.strictEqual(`${back.origin}${back.pathname}`, attempt.redirectUri)
      assert.strictEqual(back.searchParams.get("error"), "access_denied")
      assert.strictEqual(back.searchParams.get("state"), attempt.state)
      assert.strictEqual(back.searchParams.get("iss"), server.url)
      assert.isFalse(back.searchParams.has("code"))
      form.set("decision", "approve")
      isRefused(await person.browser.send(target, form))
    })
  )

  it.effect(
    "fields that the page does not have change nothing of the request",
    onServer(async (server) => {
      const { client, attempt, form, person } = await looking(server)
      const smuggled = {
        redirect_uri: "https://evil.example/",
        client_id: "evil",
        resource: `${server.url}/sse`,
        state: "x"
      }
      for (const [name, value] of Object.entries(smuggled)) form.set(name, value)
      const signIn = await person.browser.open(`${server.url}/authorize`, form)
      const back = (await person.signIn(signIn)).url
      const tokens = await client.redeem(attempt, back)
      assert.deepStrictEqual([tokens["resource"], tokens.scope], [server.mcp, "mcp:tools"])
    })
  )

  it.effect(
    "a remembered approval that was changed, or carried to another browser's client, is none",
    onServer(async (server) => {
      const { client, person } = await server.signIn("admin@example.com", { remember: true })
      const address = (await client.begin()).address
      const kept = person.browser.cookies.filter((cookie) => /approv|remember|consent/iu.test(cookie))
      assert.isAtLeast(kept.length, 1)
      const asks = async (cookie: string) => {
        const response = await fetch(address, { redirect: "manual", headers: { cookie } })
        return response.status === 200 && (await response.text()).includes('name="handle"')
      }
      assert.isFalse(await asks(kept.join("; ")))
      const flipped = kept.map((cookie) => cookie.replace(/.(?=[^=]*$)/u, (one) => (one === "A" ? "B" : "A")))
      assert.isTrue(await asks(flipped.join("; ")))
      const bare = kept.map((cookie) => cookie.replace(/\.[^.]*$/u, ""))
      assert.isTrue(await asks(bare.join("; ")))
    })
  )

  it.effect(
    "forms that are too large, or no forms, are not read",
    onServer(async (server) => {
      const { form, target, person } = await looking(server)
      const large = new URLSearchParams(form)
      large.set("padding", "x".repeat(64 * 1024))
      await unread(async () => isRefused(await person.browser.send(target, large), 413))
      const json = await fetch(target, {
        method: "POST",
        headers: { "content-type": "application/json", cookie: person.browser.cookies.join("; ") },
        body: JSON.stringify(Object.fromEntries(form))
      })
      assert.strictEqual(json.status, 415)
    })
  )
})
