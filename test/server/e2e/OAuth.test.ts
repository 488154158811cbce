import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { legacy } from "../../support/Wire.ts"

layer(RunningServer.layer)("an independent OAuth client", (it) => {
  it.effect(
    "registers, signs in, refreshes with rotation, and revokes",
    onServer(async (server) => {
      const { client, tokens, accessToken, refreshToken } = await server.signIn("admin@example.com")
      assert.strictEqual(tokens.token_type, "bearer")
      assert.strictEqual(tokens.scope, "mcp:tools")
      assert.isAtLeast(tokens.expires_in ?? 0, 600)
      assert.strictEqual(tokens["resource"], server.mcp)

      const next = await client.refresh(refreshToken)
      assert.notStrictEqual(next.access_token, accessToken)
      assert.isString(next.refresh_token)
      assert.notStrictEqual(next.refresh_token, refreshToken)
      assert.strictEqual((await legacy(server.mcp, next.access_token, "tools/list")).status, 200)
      const again = await client.refresh(next.refresh_token ?? "")

      await client.revoke(again.refresh_token ?? "")
      for (const token of [accessToken, next.access_token, again.access_token]) {
        const { status, headers } = await legacy(server.mcp, token, "tools/list")
        assert.strictEqual(status, 401)
        assert.include(headers.get("www-authenticate") ?? "", 'error="invalid_token"')
      }
      const dead = await client.token({ grant_type: "refresh_token", refresh_token: again.refresh_token ?? "" })
      assert.strictEqual(dead.status, 400)
      assert.strictEqual((await dead.json<{ readonly error: string }>()).error, "invalid_grant")
    })
  )

  it.effect(
    "has a person sign in anew who is signed in to Clerk: prompt=login",
    onServer(async (server) => {
      const { client, person } = await server.signIn("admin@example.com", { remember: true })
      const [plain, anew] = [await client.begin(), await client.begin({ prompt: "login" })]
      assert.strictEqual((await person.browser.open(plain.address)).status, 0)
      const signIn = await person.browser.open(anew.address)
      assert.deepStrictEqual([signIn.status, signIn.url.origin], [200, server.clerk.url])
      const back = (await person.signIn(signIn)).url
      assert.strictEqual((await client.redeem(anew, back)).token_type, "bearer")
    })
  )

  it.effect(
    "revoking an access token ends that token only",
    onServer(async (server) => {
      const { client, accessToken, refreshToken } = await server.signIn("member@example.com")
      await client.revoke(accessToken)
      assert.strictEqual((await legacy(server.mcp, accessToken, "tools/list")).status, 401)
      const { access_token } = await client.refresh(refreshToken)
      assert.strictEqual((await legacy(server.mcp, access_token, "tools/list")).status, 200)
    })
  )

  it.effect(
    "the client's redirect carries code, state and iss, and nothing else",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const attempt = await client.begin()
      const back = await server.person("member@example.com").authorize(attempt.address)
      assert.sameMembers([...back.searchParams.keys()], ["code", "state", "iss"])
      assert.strictEqual(back.searchParams.get("state"), attempt.state)
      assert.strictEqual(back.searchParams.get("iss"), server.url)
      assert.strictEqual(`${back.origin}${back.pathname}`, attempt.redirectUri)
    })
  )

  it.effect(
    "a request without a state is answered without one",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const attempt = await client.begin({ state: undefined })
      const back = await server.person("member@example.com").authorize(attempt.address)
      assert.sameMembers([...back.searchParams.keys()], ["code", "iss"])
    })
  )

  for (const [what, resource] of [
    ["no resource at all", () => undefined],
    ["the server's origin", (url: string) => url],
    ["the server's origin with a slash", (url: string) => `${url}/`],
    ["the exact address", (url: string) => `${url}/mcp`]
  ] as const) {
    it.effect(
      `a client that sends ${what} as resource gets a token for /mcp`,
      onServer(async (server) => {
        const client = await OAuthClient.register(server.mcp)
        const asked = resource(server.url)
        const attempt = await client.begin({ resource: asked })
        const back = await server.person("member@example.com").authorize(attempt.address)
        const answer = await client.token({
          grant_type: "authorization_code",
          code: back.searchParams.get("code") ?? "",
          redirect_uri: attempt.redirectUri,
          code_verifier: attempt.verifier,
          ...(asked !== undefined && { resource: asked })
        })
        const tokens = await answer.json<{ access_token: string; refresh_token: string; resource: string }>()
        assert.deepStrictEqual([answer.status, tokens.resource], [200, server.mcp])
        assert.strictEqual((await legacy(server.mcp, tokens.access_token, "tools/list")).status, 200)
        const refreshed = await client.token({
          grant_type: "refresh_token",
          refresh_token: tokens.refresh_token,
          ...(asked !== undefined && { resource: asked })
        })
        assert.strictEqual(refreshed.status, 200)
      })
    )
  }

  for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
    it.effect(
      `a loopback redirect on ${host} may come back on another port`,
      onServer(async (server) => {
        const client = await OAuthClient.register(server.mcp, { redirectUris: [`http://${host}:41000/cb`] })
        const redirect_uri = `http://${host}:52111/cb`
        const attempt = await client.begin({ redirect_uri })
        const back = await server.person("member@example.com").authorize(attempt.address)
        assert.strictEqual(`${back.origin}${back.pathname}`, redirect_uri)
        assert.strictEqual((await client.redeem(attempt, back)).token_type, "bearer")
      })
    )
  }

  it.effect(
    "a client signs in with any of its redirects: an app's own scheme, https, loopback",
    onServer(async (server) => {
      const redirectUris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback"
      ]
      const client = await OAuthClient.register(server.mcp, { redirectUris })
      assert.deepStrictEqual(client.client["redirect_uris"], redirectUris)
      for (const redirect_uri of redirectUris) {
        const attempt = await client.begin({ redirect_uri })
        const back = await server.person("member@example.com").authorize(attempt.address)
        assert.isTrue(back.href.startsWith(`${redirect_uri}?`), back.href)
        assert.strictEqual((await client.redeem(attempt, back)).token_type, "bearer")
      }
    })
  )

  it.effect(
    "the requests of the MCP SDK for Python, as it sends them by default, sign in, refresh and revoke",
    onServer(async (server) => {
      const redirectUri = "http://localhost:3030/callback"
      const registered = await fetch(`${server.url}/register`, {
        method: "POST",
        headers: { accept: "*/*", "content-type": "application/json", "user-agent": "python-httpx/0.28.1" },
        body: JSON.stringify({
          redirect_uris: [redirectUri],
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          scope: "mcp:tools",
          client_name: "Simple Auth Client"
        })
      })
      assert.strictEqual(registered.status, 201)
      const { client_id, client_secret, token_endpoint_auth_method } = await registered.json<Record<string, string>>()
      assert.strictEqual(token_endpoint_auth_method, "client_secret_basic")
      const credentials = `${encodeURIComponent(client_id ?? "")}:${encodeURIComponent(client_secret ?? "")}`
      const token = async (fields: Readonly<Record<string, string>>) => {
        const response = await fetch(`${server.url}/token`, {
          method: "POST",
          headers: {
            accept: "*/*",
            authorization: `Basic ${btoa(credentials)}`,
            "content-type": "application/x-www-form-urlencoded",
            "user-agent": "python-httpx/0.28.1"
          },
          body: new URLSearchParams(fields).toString()
        })
        const text = await response.text()
        assert.strictEqual(response.status, 200, text)
        return (text === "" ? {} : JSON.parse(text)) as Readonly<Record<string, string>>
      }
      const browser = await OAuthClient.register(server.mcp)
      const attempt = await browser.begin({ client_id, redirect_uri: redirectUri })
      const back = await server.person("member@example.com").authorize(attempt.address)
      const first = await token({
        grant_type: "authorization_code",
        code: back.searchParams.get("code") ?? "",
        redirect_uri: redirectUri,
        client_id: client_id ?? "",
        code_verifier: attempt.verifier,
        resource: server.mcp
      })
      const next = await token({
        grant_type: "refresh_token",
        refresh_token: first["refresh_token"] ?? "",
        client_id: client_id ?? "",
        resource: server.mcp
      })
      const access = next["access_token"] ?? ""
      assert.strictEqual((await legacy(server.mcp, access, "tools/list")).status, 200)
      await token({ token: next["refresh_token"] ?? "", token_type_hint: "refresh_token", client_id: client_id ?? "" })
      assert.strictEqual((await legacy(server.mcp, access, "tools/list")).status, 401)
    })
  )

  it.effect(
    "scopes that OpenID clients add out of habit are left out; the baseline is always there",
    onServer(async (server) => {
      const habit = "openid profile email offline_access"
      const { tokens } = await server.signIn("member@example.com", { request: { scope: habit } })
      assert.strictEqual(tokens.scope, "mcp:tools")
      const everything = await server.signIn("member@example.com", { request: { scope: "mcp:tools paint:use" } })
      assert.strictEqual(everything.tokens.scope, "mcp:tools paint:use")
      const nothing = await server.signIn("member@example.com", { request: { scope: undefined } })
      assert.strictEqual(nothing.tokens.scope, "mcp:tools")
    })
  )

  it.effect(
    "the person decides: a scope that was asked for can be unticked, one that was not can be added",
    onServer(async (server) => {
      const request = { scope: "mcp:tools paint:use" }
      const less = await server.signIn("admin@example.com", { request, scopes: [] })
      assert.strictEqual(less.tokens.scope, "mcp:tools")
      const more = await server.signIn("admin@example.com", { scopes: ["paint:use"] })
      assert.strictEqual(more.tokens.scope, "mcp:tools paint:use")
    })
  )

  it.effect(
    "a remembered approval skips the page in this browser, for this client and these scopes only",
    onServer(async (server) => {
      const first = await server.signIn("admin@example.com", { remember: true })
      const { client, person } = first
      const again = await client.begin()
      const sent = await person.browser.send(again.address)
      assert.strictEqual(sent.status, 302)
      assert.strictEqual(new URL(sent.headers.get("location") ?? "").origin, server.clerk.url)
      const more = await person.browser.open((await client.begin({ scope: "mcp:tools paint:use" })).address)
      assert.include(more.html, 'name="handle"')
      const other = await OAuthClient.register(server.mcp)
      assert.include((await person.browser.open((await other.begin()).address)).html, 'name="handle"')
      const elsewhere = server.person("admin@example.com").browser
      assert.include((await elsewhere.open((await client.begin()).address)).html, 'name="handle"')
    })
  )

  it.effect(
    "a second machine of the same person does not sign the first one out",
    onServer(async (server) => {
      const first = await server.signIn("premium@example.com")
      const second = await server.signIn("premium@example.com", { client: first.client })
      for (const { accessToken, refreshToken } of [first, second]) {
        assert.strictEqual((await legacy(server.mcp, accessToken, "tools/list")).status, 200)
        assert.isString((await first.client.refresh(refreshToken)).access_token)
      }
    })
  )

  it.effect(
    "asking for the same authorization twice uses nothing up",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const attempt = await client.begin()
      const person = server.person("member@example.com")
      // mcp-remote looks at the address once before the browser does.
      assert.strictEqual((await fetch(attempt.address)).status, 200)
      await person.browser.open(attempt.address)
      const back = await person.authorize(attempt.address)
      assert.strictEqual((await client.redeem(attempt, back)).token_type, "bearer")
    })
  )

  it.effect(
    "parallel refreshes, and one whose answer was lost, are all answered",
    onServer(async (server) => {
      const { client, refreshToken } = await server.signIn("admin@example.com")
      const refreshed = await Promise.all([1, 2, 3, 4].map(() => client.refresh(refreshToken)))
      for (const { access_token } of refreshed) {
        assert.strictEqual((await legacy(server.mcp, access_token, "tools/list")).status, 200)
      }
      const lost = await client.refresh(refreshToken)
      assert.isString(lost.access_token)
      const last = await client.refresh(lost.refresh_token ?? "")
      assert.strictEqual((await legacy(server.mcp, last.access_token, "tools/list")).status, 200)
    })
  )
})
