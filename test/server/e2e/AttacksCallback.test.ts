import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { leftFor } from "../../support/Person.ts"
import { onServer, RunningServer, type Server, signingKeys } from "../../support/RunningServer.ts"
import { partsOf, payloadOf, signState } from "../../support/SignedState.ts"
import type { Page } from "../../support/WebBrowser.ts"

/** Somebody has consented and signed in at Clerk; their browser has not been back yet. */
const waiting = async (server: Server) => {
  const client = await OAuthClient.register(server.mcp)
  const attempt = await client.begin()
  const person = server.person("admin@example.com")
  const callback = await person.untilCallback(attempt.address)
  return { client, attempt, person, callback, state: callback.searchParams.get("state") ?? "" }
}

const withState = (callback: URL, state: string | undefined): URL => {
  const url = new URL(callback)
  if (state === undefined) url.searchParams.delete("state")
  else url.searchParams.set("state", state)
  return url
}

const isRefused = (page: Page, words: RegExp) => {
  assert.strictEqual(page.status, 400)
  assert.isNull(page.headers.get("location"))
  assert.match(page.html, words)
  assert.match(page.html, /Reference: <code>[2-9A-Z]{8}<\/code>/u)
}

const forged = /This sign-in was not started here/u

/** The redirect that tells the client of an error, and of nothing else. */
const toldClient = (server: Server, state: string, back: URL, error: string) => {
  assert.sameMembers([...back.searchParams.keys()], ["error", "error_description", "state", "iss"])
  assert.strictEqual(back.searchParams.get("error"), error)
  assert.strictEqual(back.searchParams.get("state"), state)
  assert.strictEqual(back.searchParams.get("iss"), server.url)
}

layer(RunningServer.layer)("attacks on the way back from Clerk", (it) => {
  it.effect(
    "a state that this server did not sign for a sign-in is refused",
    onServer(async (server) => {
      const { person, callback, state, client, attempt } = await waiting(server)
      const [id, claims, tag] = partsOf(state)
      const handle = payloadOf(state)
      const otherKey = Buffer.alloc(32, 1).toString("base64")
      const changed = Buffer.from(claims, "base64url").toString().replace(handle, handle.toLowerCase())
      const wrong: Readonly<Record<string, string | undefined>> = {
        absent: undefined,
        empty: "",
        random: "Zm9yZ2Vk",
        "the bare handle": handle,
        "signed with another key": signState(handle, { key: otherKey }),
        "signed with another key under an unknown name": signState(handle, { key: otherKey, keyId: "other" }),
        "signed with an empty key": signState(handle, { key: "" }),
        "signed with the former key under the name of the new one": signState(handle, { key: signingKeys.former }),
        "signed for another purpose": signState(handle, { purpose: "consent" }),
        "another payload under the old tag": `${id}.${Buffer.from(changed).toString("base64url")}.${tag}`,
        "without its tag": `${id}.${claims}.`,
        "with half of its tag": `${id}.${claims}.${tag.slice(0, 20)}`,
        "with a tag that is no base64": `${id}.${claims}.%%%`,
        "with a part more": `${state}.x`,
        "named like a property of every object": `constructor.${claims}.${tag}`,
        "very long": "x".repeat(6_000)
      }
      for (const [what, value] of Object.entries(wrong)) {
        const page = await person.browser.send(withState(callback, value))
        assert.strictEqual(page.status, 400, what)
        isRefused(page, forged)
      }
      // All of that used nothing up.
      const back = leftFor(await person.browser.open(callback))
      assert.strictEqual((await client.redeem(attempt, back)).token_type, "bearer")
    })
  )

  it.effect(
    "a state that is too old is refused, and says so",
    onServer(async (server) => {
      const { person, callback, state } = await waiting(server)
      const old = signState(payloadOf(state), { expiresAt: Date.now() - 1 })
      isRefused(await person.browser.send(withState(callback, old)), /This sign-in took too long/u)
    })
  )

  it.effect(
    "a state that was signed before the keys were rotated is still good",
    onServer(async (server) => {
      const { person, callback, state, client, attempt } = await waiting(server)
      const former = signState(payloadOf(state), { keyId: "former", key: signingKeys.former })
      const back = leftFor(await person.browser.open(withState(callback, former)))
      assert.strictEqual((await client.redeem(attempt, back)).token_type, "bearer")
    })
  )

  it.effect(
    "a good signature over a handle that nobody has is worth nothing",
    onServer(async (server) => {
      const { person, callback } = await waiting(server)
      for (const handle of ["", "x", "A".repeat(43), "grant:user:1"]) {
        isRefused(await person.browser.send(withState(callback, signState(handle))), /cannot be continued/u)
      }
    })
  )

  it.effect(
    "a callback counts once: opened again in its browser it hands over the same code, and another one none",
    onServer(async (server) => {
      const { person, callback } = await waiting(server)
      const back = leftFor(await person.browser.open(callback))
      assert.isTrue(back.searchParams.has("code"))
      assert.strictEqual(leftFor(await person.browser.open(callback)).href, back.href)
      callback.searchParams.set("code", "another")
      isRefused(await person.browser.send(callback), /cannot be continued/u)
    })
  )

  it.effect(
    "the handle of a consent page is no way back from a sign-in",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const person = server.person("admin@example.com")
      const page = await person.browser.open((await client.begin()).address)
      const handle = /name="handle" value="([^"]+)"/u.exec(page.html)?.[1] ?? ""
      const { callback } = await waiting(server)
      isRefused(await person.browser.send(withState(callback, signState(handle))), /cannot be continued/u)
    })
  )

  it.effect(
    "a callback is worth nothing in another browser: nobody can be signed in as somebody else",
    onServer(async (server) => {
      const { person, callback } = await waiting(server)
      isRefused(await server.person("member@example.com").browser.send(callback), /not started in this browser/u)
      const busy = await waiting(server)
      isRefused(await busy.person.browser.send(callback), /not started in this browser/u)
      // And the attempt to do so used nothing up.
      assert.isTrue(leftFor(await person.browser.open(callback)).searchParams.has("code"))
    })
  )

  it.effect(
    "a code of Clerk that belongs to another sign-in is refused",
    onServer(async (server) => {
      const [attacker, victim] = [await waiting(server), await waiting(server)]
      const injected = new URL(victim.callback)
      injected.searchParams.set("code", attacker.callback.searchParams.get("code") ?? "")
      const back = leftFor(await victim.person.browser.open(injected))
      toldClient(server, victim.attempt.state, back, "server_error")
    })
  )

  it.effect(
    "a code that Clerk never gave out is refused",
    onServer(async (server) => {
      const { person, callback, attempt } = await waiting(server)
      callback.searchParams.set("code", "guessed")
      toldClient(server, attempt.state, leftFor(await person.browser.open(callback)), "server_error")
    })
  )

  it.effect(
    "coming back without a code is an error of the client's request",
    onServer(async (server) => {
      const { person, callback, attempt } = await waiting(server)
      callback.searchParams.delete("code")
      toldClient(server, attempt.state, leftFor(await person.browser.open(callback)), "invalid_request")
    })
  )

  it.effect(
    "whoever gives up at Clerk gives nothing: access_denied",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const attempt = await client.begin()
      const person = server.person("admin@example.com")
      const { page } = await person.untilSignIn(attempt.address)
      const back = leftFor(await person.signIn(page, { cancel: "true" }))
      toldClient(server, attempt.state, back, "access_denied")
    })
  )

  it.effect(
    "an error of Clerk wins over a code beside it, and its words go nowhere",
    onServer(async (server) => {
      for (const [sent, told] of [
        ["access_denied", "access_denied"],
        ["login_required", "server_error"],
        ["<script>alert(1)</script>", "server_error"]
      ] as const) {
        const { person, callback, attempt } = await waiting(server)
        callback.searchParams.set("error", sent)
        callback.searchParams.set("error_description", "call 555-0100 now")
        const back = leftFor(await person.browser.open(callback))
        toldClient(server, attempt.state, back, told)
        assert.notMatch(decodeURIComponent(back.search), /<script|alert|555-0100/u)
      }
    })
  )
})
