import { assert, layer } from "@effect/vitest"

import { discover } from "../../support/OAuthClient.ts"
import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { challengeOf } from "../../support/Wire.ts"

const json = async (address: string): Promise<unknown> => {
  const response = await fetch(address)
  assert.strictEqual(response.status, 200)
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/u)
  return response.json()
}

layer(RunningServer.layer)("discovery", (it) => {
  for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
    it.effect(
      `${method} /mcp without a token is challenged before anything else`,
      onServer(async ({ mcp, url }) => {
        const response = await fetch(mcp, { method })
        assert.strictEqual(response.status, 401)
        assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer /u)
        const challenge = challengeOf(response.headers)
        assert.strictEqual(challenge["resource_metadata"], `${url}/.well-known/oauth-protected-resource/mcp`)
        assert.strictEqual(challenge["scope"], "mcp:tools")
        assert.notProperty(challenge, "error")
        assert.strictEqual(response.headers.get("cache-control"), "no-store")
      })
    )
  }

  it.effect(
    "the metadata of a resource stands under its path, and that of /mcp at the root too",
    onServer(async ({ url }) => {
      const describes = (resource: string) => ({
        resource: `${url}${resource}`,
        authorization_servers: [url],
        scopes_supported: ["mcp:tools"],
        bearer_methods_supported: ["header"]
      })
      const wellKnown = `${url}/.well-known/oauth-protected-resource`
      assert.deepStrictEqual(await json(wellKnown), describes("/mcp"))
      assert.deepStrictEqual(await json(`${wellKnown}/mcp`), describes("/mcp"))
      assert.deepStrictEqual(await json(`${wellKnown}/sse`), describes("/sse"))
    })
  )

  it.effect(
    "the authorization server describes what it does, and no more",
    onServer(async ({ url, mcp }) => {
      const server = await discover(new URL(mcp))
      assert.strictEqual(server.issuer, url)
      assert.strictEqual(server.authorization_endpoint, `${url}/authorize`)
      assert.strictEqual(server.token_endpoint, `${url}/token`)
      assert.strictEqual(server.registration_endpoint, `${url}/register`)
      assert.strictEqual(server.revocation_endpoint, `${url}/token`)
      assert.deepStrictEqual(server.scopes_supported, ["mcp:tools", "paint:use", "grants:end"])
      assert.deepStrictEqual(server.response_types_supported, ["code"])
      assert.deepStrictEqual(server.grant_types_supported, ["authorization_code", "refresh_token"])
      assert.deepStrictEqual(server.code_challenge_methods_supported, ["S256"])
      assert.isTrue(server.authorization_response_iss_parameter_supported)
      assert.isTrue(server["client_id_metadata_document_supported"])
      assert.includeMembers(server.token_endpoint_auth_methods_supported ?? [], ["none", "private_key_jwt"])
    })
  )

  it.effect(
    "a page of a hosted client may ask, with every header that MCP clients send",
    onServer(async ({ url, mcp }) => {
      const names = ["authorization", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name"]
      const addresses = [
        mcp,
        `${url}/token`,
        `${url}/register`,
        `${url}/.well-known/oauth-authorization-server`,
        `${url}/.well-known/oauth-protected-resource`,
        `${url}/.well-known/oauth-protected-resource/mcp`
      ]
      for (const address of addresses) {
        const response = await fetch(address, {
          method: "OPTIONS",
          headers: {
            origin: "https://claude.ai",
            "access-control-request-method": "POST",
            "access-control-request-headers": names.join(", ")
          }
        })
        assert.include([200, 204], response.status, address)
        assert.strictEqual(response.headers.get("access-control-allow-origin"), "https://claude.ai", address)
        assert.notStrictEqual(response.headers.get("access-control-allow-credentials"), "true", address)
        assert.match(response.headers.get("access-control-allow-methods") ?? "", /\*|POST/u, address)
        const allowed = (response.headers.get("access-control-allow-headers") ?? "").toLowerCase().split(/\s*,\s*/u)
        // A wildcard does not cover `Authorization` (Fetch, section 4.8).
        assert.include(allowed, "authorization", address)
        const refused = names.filter((name) => !allowed.includes(name) && !allowed.includes("*"))
        assert.deepStrictEqual(refused, [], address)
      }
    })
  )

  it.effect(
    "a page of a hosted client can read the challenge",
    onServer(async ({ mcp }) => {
      const response = await fetch(mcp, { method: "POST", headers: { origin: "https://claude.ai" } })
      assert.strictEqual(response.status, 401)
      assert.strictEqual(response.headers.get("access-control-allow-origin"), "https://claude.ai")
      assert.match(response.headers.get("access-control-expose-headers") ?? "", /\bwww-authenticate\b/iu)
      assert.match(response.headers.get("vary") ?? "", /\borigin\b/iu)
    })
  )

  it.effect(
    "people get pages: what this is, and what is not here",
    onServer(async ({ url, mcp }) => {
      const landing = await fetch(url, { headers: { accept: "text/html" } })
      assert.strictEqual(landing.status, 200)
      assert.include(await landing.text(), mcp)
      const missing = await fetch(`${url}/nowhere`)
      assert.strictEqual(missing.status, 404)
      assert.match(missing.headers.get("content-type") ?? "", /^text\/html/u)
      assert.deepStrictEqual(await json(`${url}/health`), { status: "ok", version: "1.2.3" })
    })
  )
})
