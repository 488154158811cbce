import { assert, describe, it } from "@effect/vitest"

import { connect } from "../../../src/server/testing/McpClient.ts"
import { authorizationRequest, jsonOf, locationOf } from "../../../src/server/testing/Visitor.ts"
import { outcome } from "../../support/AtApp.ts"
import { acme, atClerk, globex } from "../../support/Members.ts"

const origin = "https://mcp.example.com"
const ofGlobex = { ...globex, slug: "globex" }

/** Ada, a member of Acme and of Globex, whose client connects to the address of one of them. */
const atAddress = async (slug: string | undefined, organizations = [acme, ofGlobex]) => {
  const app = await atClerk([...organizations])
  const { clientId, visitor } = app
  const resource = slug === undefined ? `${origin}/mcp` : `${origin}/mcp/${slug}`
  const authorize = async () => {
    const parameters = { ...(await authorizationRequest(clientId)), resource }
    const upstream = await visitor.decide(await visitor.get("/authorize", parameters), "approve")
    return visitor.get("/callback", { state: upstream.searchParams.get("state") ?? "", code: "user_ada" })
  }
  const signIn = async () => {
    const code = locationOf(await authorize()).searchParams.get("code") ?? ""
    const tokens = await jsonOf(await visitor.redeem(clientId, code))
    return { access: String(tokens["access_token"]), refresh: String(tokens["refresh_token"]) }
  }
  const statusAt = async (path: string, token: string) => {
    const headers = { authorization: `Bearer ${token}`, host: "mcp.example.com", accept: "application/json" }
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} })
    const init = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body }
    return (await app.handler(new Request(`${origin}${path}`, init))).status
  }
  return { ...app, authorize, resource, signIn, statusAt }
}

describe("/mcp/{slug}", () => {
  it("has metadata of its own, whether there is such an organization or not", async () => {
    const { handler } = await atAddress("acme")
    for (const slug of ["acme", "nobody-has-this"]) {
      const challenged = await handler(new Request(`${origin}/mcp/${slug}`, { headers: { host: "mcp.example.com" } }))
      assert.strictEqual(challenged.status, 401)
      const wellKnown = `${origin}/.well-known/oauth-protected-resource/mcp/${slug}`
      assert.include(challenged.headers.get("www-authenticate"), `resource_metadata="${wellKnown}"`)
      const metadata = await jsonOf(await handler(new Request(wellKnown)))
      assert.strictEqual(metadata["resource"], `${origin}/mcp/${slug}`)
      assert.deepStrictEqual(metadata["authorization_servers"], [origin])
    }
  })

  it("is no address with anything but a slug in it", async () => {
    const { handler } = await atAddress("acme")
    for (const path of ["Acme", "a.b", "a%20b", "acme/more", "-a", "a".repeat(129)]) {
      for (const under of ["/mcp/", "/.well-known/oauth-protected-resource/mcp/"]) {
        const response = await handler(
          new Request(`${origin}${under}${path}`, { headers: { host: "mcp.example.com" } })
        )
        assert.strictEqual(response.status, 404, `${under}${path}`)
      }
    }
  })

  it("pins the organization: nobody is asked, and the tools are told of it", async () => {
    for (const [slug, name] of [
      ["acme", "Acme"],
      ["globex", "Globex"]
    ] as const) {
      const { grantedFor, handler, resource, signIn } = await atAddress(slug)
      const { access } = await signIn()
      assert.deepStrictEqual(await grantedFor(), [{ organizationId: `org_${slug}` }])
      const client = await connect(handler, access, {}, new URL(resource))
      const { structuredContent } = await client.callTool({ name: "whoAmI", arguments: {} })
      assert.deepInclude(structuredContent, { organization: name })
    }
  })

  it("takes no token of another address, nor is its own good at another one", async () => {
    const { signIn, statusAt } = await atAddress("acme")
    const { access } = await signIn()
    assert.strictEqual(await statusAt("/mcp/acme", access), 200)
    for (const path of ["/mcp", "/mcp/globex", "/sse"]) assert.strictEqual(await statusAt(path, access), 401, path)
    const other = await atAddress(undefined, [acme])
    const { access: unpinned } = await other.signIn()
    assert.strictEqual(await other.statusAt("/mcp", unpinned), 200)
    assert.strictEqual(await other.statusAt("/mcp/acme", unpinned), 401)
  })

  it("gives its tokens anew for the same address", async () => {
    const { clientId, signIn, statusAt, visitor } = await atAddress("acme")
    const { refresh } = await signIn()
    const answer = await visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token: refresh })
    const { access_token: access, resource } = await jsonOf(answer)
    assert.strictEqual(resource, `${origin}/mcp/acme`)
    assert.strictEqual(await statusAt("/mcp/acme", String(access)), 200)
    assert.strictEqual(await statusAt("/mcp", String(access)), 401)
  })

  it("tells a client whose connection ended, or whose refresh token is nobody's, just that: it can sign in again", async () => {
    const { clientId, resource, signIn, visitor } = await atAddress("acme")
    const { refresh } = await signIn()
    const grant = refresh.split(":").slice(0, 2).join(":")
    const answerTo = async (refresh_token: string, more: Readonly<Record<string, string>> = { resource }) => {
      const form = { grant_type: "refresh_token", client_id: clientId, refresh_token, ...more }
      return (await jsonOf(await visitor.token(form)))["error"]
    }
    const nobodys = [`${grant}:garbage`, "user_ada:nothing:garbage", "user_nobody:a:b", "garbage"]
    for (const token of nobodys) assert.strictEqual(await answerTo(token), "invalid_grant", token)
    await visitor.token({ client_id: clientId, token: refresh })
    assert.strictEqual(await answerTo(refresh), "invalid_grant")
    assert.strictEqual(await answerTo(refresh, { resource: "https://elsewhere.example/mcp" }), "invalid_target")
  })

  it("lets in nobody who does not belong to the organization", async () => {
    for (const [slug, organizations] of [
      ["globex", [acme]],
      ["nobody-has-this", [acme, ofGlobex]],
      ["acme", []]
    ] as const) {
      const { authorize, grantedFor } = await atAddress(slug, [...organizations] as never)
      assert.strictEqual(outcome(await authorize()), "access_denied")
      assert.deepStrictEqual(await grantedFor(), [])
    }
  })

  it("stands for the organization that has the slug now: a connection does not follow the slug to another one", async () => {
    const { clerk, signIn, statusAt, wait } = await atAddress("acme")
    const { access } = await signIn()
    assert.strictEqual(await statusAt("/mcp/acme", access), 200)
    clerk.users.set("user_ada", {
      organizations: [
        { ...acme, slug: "acme-old" },
        { ...ofGlobex, slug: "acme" }
      ]
    })
    wait(61)
    assert.strictEqual(await statusAt("/mcp/acme", access), 401)
  })
})
