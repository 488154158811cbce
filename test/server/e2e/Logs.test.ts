import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { consentForm, leftFor } from "../../support/Person.ts"
import { onServer, RunningServer, type Server, signingKeys } from "../../support/RunningServer.ts"
import { payloadOf } from "../../support/SignedState.ts"
import { legacy, modern } from "../../support/Wire.ts"

/** A line of the record of decisions. */
const isDecision = (line: string): boolean => line.includes('"message":"Decision"')

const prompt = "a very private picture of a zeppelin"
const sentence = "Ministry of Silly Walks"

/** Every value that must stay out of a log, with what it is. */
class Secrets {
  readonly all = new Map<string, string>()
  /** The ids of users, which stand in the record of decisions alone. */
  readonly ids = new Set<string>()

  keep(what: string, value: string): void {
    assert.isAtLeast(value.length, 3, what)
    this.all.set(value, what)
  }

  /** A token or a code: the id of the user, that of the grant, and a secret. */
  keepToken(what: string, token: string): void {
    const [user = "", , secret = ""] = token.split(":")
    this.ids.add(user)
    this.keep(what, secret)
  }
}

const goodLife = async (server: Server, secrets: Secrets) => {
  for (const email of ["admin@example.com", "member@example.com"]) {
    const connection = await server.signIn(email, { scopes: ["paint:use"], remember: true })
    const { accessToken, client, refreshToken, person } = connection
    secrets.keepToken("access token", accessToken)
    secrets.keepToken("refresh token", refreshToken)
    for (const send of [legacy, modern]) {
      await send(server.mcp, accessToken, "tools/list")
      await send(server.mcp, accessToken, "tools/call", { name: "paint", arguments: { prompt } })
      await send(server.mcp, accessToken, "tools/call", { name: "paint", arguments: { prompt, steps: 99 } })
      await send(server.mcp, accessToken, "tools/call", { name: "whoAmI", arguments: {} })
      await send(server.mcp, accessToken, "tools/call", { name: "sum", arguments: { a: sentence } })
      await send(server.mcp, accessToken, "prompts/get", { name: "introduce", arguments: { audience: sentence } })
      await send(server.mcp, accessToken, sentence)
    }
    const refreshed = await client.refresh(refreshToken)
    secrets.keepToken("second access token", refreshed.access_token)
    for (const cookie of person.browser.cookies) secrets.keep(`cookie of ${email}`, cookie.split("=")[1] ?? "")
  }
}

/** Sign-ins and requests that fail, each in its own way. */
const badLife = async (server: Server, secrets: Secrets) => {
  const client = await OAuthClient.register(server.mcp, { name: "Somebody’s own client" })
  for (const tampering of ["wrong_nonce", "wrong_signature", "missing_id_token"] as const) {
    const attempt = await client.begin()
    const person = server.person("admin@example.com")
    const callback = await person.untilCallback(attempt.address)
    await server.admin((admin) => admin.tamperWithNextIdToken(tampering))
    leftFor(await person.browser.open(callback))
    const state = callback.searchParams.get("state") ?? ""
    secrets.keep("state of the server", state)
    secrets.keep("handle in the state", payloadOf(state))
    secrets.keep("code of Clerk", callback.searchParams.get("code") ?? "")
    secrets.keep("state of the client", attempt.state)
    secrets.keep("code_verifier of the client", attempt.verifier)
    await person.browser.send(callback)
    await server.person("member@example.com").browser.send(callback)
    callback.searchParams.set("state", `${state}x`)
    await person.browser.send(callback)
  }
  const unused = await client.begin()
  const back = await server.person("premium@example.com").authorize(unused.address)
  const code = back.searchParams.get("code") ?? ""
  secrets.keepToken("code", code)
  await client.token({ grant_type: "authorization_code", code, redirect_uri: unused.redirectUri, code_verifier: "x" })
  await client.token({ grant_type: "refresh_token", refresh_token: code })
  await fetch(`${server.mcp}?access_token=${code}`)
  await legacy(server.mcp, code, "tools/list")

  const looked = server.person("admin@example.com")
  const page = await looked.browser.open((await client.begin()).address)
  const form = consentForm(page)
  secrets.keep("handle of a consent", form.get("handle") ?? "")
  form.set("decision", "maybe")
  await looked.browser.send(`${server.url}/authorize`, form)
  await server.person("member@example.com").browser.send(`${server.url}/authorize`, consentForm(page))
  await fetch((await client.begin({ scope: "everything" })).address, { redirect: "manual" })
  await fetch((await client.begin({ redirect_uri: "https://evil.example/" })).address, { redirect: "manual" })

  await server.admin((admin) => admin.addFault({ path: "/oauth/token", effect: { kind: "server_error" } }))
  await server.person("artist@example.com").authorize((await client.begin()).address)
  const faults = { path: "/v1/users", times: 2, effect: { kind: "rate_limited", retryAfterSeconds: 1 } } as const
  await server.admin((admin) => admin.addFault(faults))
  await server.person("artist@example.com").authorize((await client.begin()).address)
}

layer(RunningServer.layer)("the log", (it) => {
  it.effect(
    "tells what went wrong in JSON, one object a line, and keeps every secret and every person out of it",
    onServer(async (server) => {
      const secrets = new Secrets()
      const { settings, users } = server.clerk
      secrets.keep("client secret", settings.CLERK_CLIENT_SECRET)
      secrets.keep("secret key", settings.CLERK_SECRET_KEY)
      secrets.keep("signing key", signingKeys.now)
      secrets.keep("former signing key", signingKeys.former)
      secrets.keep("prompt", prompt)
      secrets.keep("argument", sentence)
      for (const user of Object.values(users)) {
        secrets.ids.add(user.id)
        for (const field of ["email", "firstName", "lastName"] as const)
          secrets.keep(`${field} of a person`, user[field])
      }
      await goodLife(server, secrets)
      await badLife(server, secrets)
      const lines = server.logs()

      for (const [secret, what] of secrets.all) {
        const told = lines.filter((line) => line.includes(secret) || line.includes(encodeURIComponent(secret)))
        assert.deepStrictEqual(told, [], what)
      }
      const [decisions, others] = [true, false].map((is) => lines.filter((line) => is === isDecision(line)))
      for (const id of secrets.ids) assert.notInclude(others?.join("\n"), id)
      assert.isAtLeast(decisions?.length ?? 0, 20)
      assert.isAtLeast(secrets.all.size, 40)
      assert.notMatch(lines.join("\n"), /@example\.com|Bearer |eyJ[\w-]+\.|code_verifier=|sk_test/u)
      assert.notMatch(others?.join("\n") ?? "", /user_[A-Za-z0-9]{8}/u)

      const records = lines.map((line) => {
        assert.notInclude(line, "\n")
        return JSON.parse(line) as { readonly message: string; readonly level: string; readonly annotations: object }
      })
      const reasons = records.map(({ annotations }) => (annotations as { readonly reason?: unknown }).reason)
      const expected = ["TokenRejected", "StateForged", "RequestRejected", "ClerkUnavailable", "AccessUnknown"]
      for (const reason of expected) assert.include(reasons, reason)
      for (const record of records) assert.containsAllKeys(record, ["message", "level", "timestamp"])
      assert.deepStrictEqual(
        records.filter(({ level }) => level === "ERROR" || level === "FATAL"),
        []
      )
    })
  )

  it.effect(
    "has the reference that a person was shown",
    onServer(async (server) => {
      const page = await server.person("admin@example.com").browser.open(`${server.url}/callback?state=forged`)
      const reference = /Reference: <code>([2-9A-Z]{8})<\/code>/u.exec(page.html)?.[1] ?? "none"
      const lines = server.logs().filter((line) => line.includes(reference))
      assert.lengthOf(lines, 1)
      assert.include(lines[0], '"StateForged"')
    })
  )
})
