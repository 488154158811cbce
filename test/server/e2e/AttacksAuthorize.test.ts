import { assert, layer } from "@effect/vitest"

import { OAuthClient, type Parameters } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"

const registered = ["http://127.0.0.1:33418/callback", "https://app.example.com/callback"]

/** What the server says to an authorization request, without following it. */
const ask = async (server: Server, changes: Parameters, name = "Test client") => {
  const client = await OAuthClient.register(server.mcp, { name, redirectUris: registered })
  const attempt = await client.begin(changes)
  const response = await fetch(attempt.address, { redirect: "manual" })
  const location = response.headers.get("location")
  return { response, attempt, html: await response.text(), back: location === null ? undefined : new URL(location) }
}

const isErrorPage = async ({ response, html }: Awaited<ReturnType<typeof ask>>) => {
  assert.strictEqual(response.status, 400)
  assert.isNull(response.headers.get("location"))
  assert.match(response.headers.get("content-type") ?? "", /^text\/html/u)
  assert.match(html, /Reference: <code>[2-9A-Z]{8}<\/code>/u)
}

layer(RunningServer.layer)("attacks on the authorization request", (it) => {
  for (const [what, redirect_uri] of [
    ["path", "http://127.0.0.1:33418/other"],
    ["path by traversal", "http://127.0.0.1:33418/callback/../other"],
    ["query", "http://127.0.0.1:33418/callback?next=https://evil.example"],
    ["fragment", "http://127.0.0.1:33418/callback#"],
    ["host", "https://evil.example/callback"],
    ["host, by suffix", "https://app.example.com.evil.example/callback"],
    ["host, by user part", "https://app.example.com@evil.example/callback"],
    ["loopback name", "http://localhost:33418/callback"],
    ["scheme", "http://app.example.com/callback"],
    ["scheme, to one that runs", "javascript:alert(1)"],
    ["port of an address that is not loopback", "https://app.example.com:8443/callback"],
    ["case of the path", "https://app.example.com/Callback"]
  ] as const) {
    it.effect(
      `a redirect with another ${what} is a page, never a redirect`,
      onServer(async (server) => isErrorPage(await ask(server, { redirect_uri })))
    )
  }

  for (const [what, changes] of [
    ["an unknown client", { client_id: "nobody" }],
    ["no client", { client_id: undefined }],
    ["no redirect", { redirect_uri: undefined }],
    ["a client description at a private address", { client_id: "https://127.0.0.1/client.json" }],
    ["a client description without TLS", { client_id: "http://app.example.com/client.json" }]
  ] as const) {
    it.effect(
      `${what} is a page, never a redirect`,
      onServer(async (server) => isErrorPage(await ask(server, changes)))
    )
  }

  for (const [what, changes, error] of [
    ["no PKCE", { code_challenge: undefined, code_challenge_method: undefined }, "invalid_request"],
    ["a PKCE method without a challenge", { code_challenge: undefined }, "invalid_request"],
    ["plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["PKCE without a method, which means plain", { code_challenge_method: undefined }, "invalid_request"],
    ["a PKCE method that nobody knows", { code_challenge_method: "S512" }, "invalid_request"],
    ["the implicit flow", { response_type: "token" }, "unsupported_response_type"],
    ["no response type", { response_type: undefined }, "invalid_request"],
    ["a scope outside the catalogue", { scope: "mcp:tools admin" }, "invalid_scope"],
    ["a scope in another case", { scope: "MCP:tools" }, "invalid_scope"],
    ["another server's resource", { resource: "https://evil.example/mcp" }, "invalid_target"],
    ["a resource of this server that there is not", { resource: "http://localhost/admin" }, "invalid_target"]
  ] as const) {
    it.effect(
      `${what} is told to the client as ${error}, with state and iss`,
      onServer(async (server) => {
        const { response, back, attempt } = await ask(server, changes)
        assert.strictEqual(response.status, 302)
        assert.strictEqual(`${back?.origin}${back?.pathname}`, attempt.redirectUri)
        assert.strictEqual(back?.searchParams.get("error"), error)
        assert.strictEqual(back?.searchParams.get("state"), attempt.state)
        assert.strictEqual(back?.searchParams.get("iss"), server.url)
        assert.isFalse(back?.searchParams.has("code"))
      })
    )
  }

  it.effect(
    "a client cannot write markup into the consent page",
    onServer(async (server) => {
      const name = `<img src=x onerror=alert(1)>"'><script>alert(2)</script>&amp;`
      const { response, html } = await ask(server, {}, name)
      assert.strictEqual(response.status, 200)
      assert.notMatch(html, /<img|<script|onerror=alert\(1\)>/iu)
      assert.include(
        html,
        "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&gt;&lt;script&gt;alert(2)&lt;/script&gt;&amp;amp;"
      )
    })
  )

  it.effect(
    "nothing runs on the consent page, nobody frames it and nothing keeps it",
    onServer(async (server) => {
      const { response, html } = await ask(server, {})
      const policy = new Map(
        (response.headers.get("content-security-policy") ?? "").split(/;\s*/u).map((part) => {
          const [name = "", ...values] = part.split(" ")
          return [name, values.join(" ")]
        })
      )
      assert.strictEqual(policy.get("default-src"), "'none'")
      assert.strictEqual(policy.get("frame-ancestors"), "'none'")
      assert.strictEqual(policy.get("base-uri"), "'none'")
      assert.isFalse(policy.has("script-src"))
      assert.match(policy.get("style-src") ?? "", /^'sha256-[A-Za-z0-9+/=]+'$/u)
      assert.strictEqual(response.headers.get("x-frame-options"), "DENY")
      assert.strictEqual(response.headers.get("x-content-type-options"), "nosniff")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.notMatch(html, /<script|\son\w+=|javascript:|<iframe|<link(?! rel="icon" href="\/favicon\.svg")|src=/iu)
    })
  )

  it.effect(
    "the consent page says who asks, that the name is unverified, and where the access goes",
    onServer(async (server) => {
      const { html } = await ask(server, { redirect_uri: registered[1] }, "Claude")
      assert.match(html, /<h1>[^<]*<bdi class="name">Claude<\/bdi>/u)
      assert.include(html, "not verified")
      assert.include(html, "<strong>app.example.com</strong>")
      assert.notInclude(html, "on your own device")
      const loopback = await ask(server, {})
      assert.include(loopback.html, "<strong>127.0.0.1")
      assert.include(loopback.html, "on your own device")
    })
  )

  it.effect(
    "the cookie of the consent page is bound to this host and to this browser",
    onServer(async (server) => {
      const { response } = await ask(server, {})
      const cookies = response.headers.getSetCookie()
      assert.lengthOf(cookies, 2)
      for (const part of [/^__Host-/u, /; ?HttpOnly/iu, /; ?Secure/iu, /; ?SameSite=Lax/iu, /; ?Path=\/(?:;|$)/iu]) {
        for (const cookie of cookies) assert.match(cookie, part)
      }
      assert.notMatch(cookies[0] ?? "", /domain=/iu)
    })
  )

  for (const [what, redirects] of [
    ["without TLS on another machine", ["http://app.example.com/callback"]],
    ["that runs", ["javascript:alert(1)"]],
    ["that is data", ["data:text/html,hello"]],
    ["with a fragment", ["https://app.example.com/callback#here"]],
    ["that is empty", []]
  ] as const) {
    it.effect(
      `a client cannot register a redirect ${what}`,
      onServer(async ({ url }) => {
        const response = await fetch(`${url}/register`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ client_name: "Evil", redirect_uris: redirects, token_endpoint_auth_method: "none" })
        })
        assert.strictEqual(response.status, 400)
        assert.include(
          ["invalid_redirect_uri", "invalid_client_metadata"],
          (await response.json<{ readonly error: string }>()).error
        )
      })
    )
  }

  it.effect(
    "a registration of more than a megabyte is not read",
    onServer(async ({ url }) => {
      const body = JSON.stringify({ client_name: "x".repeat(2 ** 20), redirect_uris: registered })
      const headers = { "content-type": "application/json" }
      const response = await fetch(`${url}/register`, { method: "POST", headers, body })
      assert.strictEqual(response.status, 413)
    })
  )
})
