import { assert, describe, it } from "@effect/vitest"

import {
  behaviours,
  knownClients,
  metadataAddress,
  registrationOf,
  type Setup
} from "../../../src/server/clients/KnownClients.ts"

const server = { name: "acme", address: "https://mcp.example.com/mcp" }
const setups = new Map(knownClients.map(({ id, setup }) => [id, setup(server)]))
const setupOf = (id: (typeof knownClients)[number]["id"]): Setup => setups.get(id)!

describe("known clients", () => {
  it("each has a way to be connected, and what comes next", () => {
    assert.strictEqual(setups.size, knownClients.length)
    for (const [id, { steps, link, copy, next }] of setups) {
      assert.isDefined(steps ?? link ?? copy, id)
      assert.match(next, /\.$/u, id)
      if (copy === undefined) assert.include(steps, "paste the address", id)
      else assert.include(copy.text, server.address, id)
    }
  })

  it("have links from which the client reads the name and the address", () => {
    const cursor = new URL(setupOf("cursor").link ?? "")
    assert.strictEqual(cursor.searchParams.get("name"), server.name)
    assert.deepStrictEqual(JSON.parse(atob(cursor.searchParams.get("config") ?? "")), { url: server.address })
    const code = new URL(setupOf("vscode").link ?? "")
    const installed: unknown = JSON.parse(decodeURIComponent(code.search.slice(1)))
    assert.deepStrictEqual(installed, { name: server.name, type: "http", url: server.address })
  })

  it("have files in the shape that each client reads", () => {
    const file = (id: (typeof knownClients)[number]["id"]): unknown => JSON.parse(setupOf(id).copy?.text ?? "")
    assert.deepStrictEqual(file("cursor"), { mcpServers: { acme: { url: server.address } } })
    assert.deepStrictEqual(file("vscode"), { servers: { acme: { type: "http", url: server.address } } })
    assert.deepStrictEqual(file("windsurf"), { mcpServers: { acme: { serverUrl: server.address } } })
  })

  it("look for metadata where the specifications say", () => {
    assert.deepStrictEqual(
      (behaviours["mcp-remote"]?.metadata ?? []).map((metadata) => metadataAddress(metadata, server.address)),
      [
        "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
        "https://mcp.example.com/.well-known/oauth-protected-resource",
        "https://mcp.example.com/.well-known/oauth-authorization-server",
        "https://mcp.example.com/.well-known/openid-configuration"
      ]
    )
  })

  it("register as public clients, eight of them in ways that are known", () => {
    const registrations = knownClients.map(({ id }) => registrationOf(id, 41_000)).filter((sent) => sent !== undefined)
    assert.lengthOf(registrations, 8)
    for (const registration of registrations) assert.strictEqual(registration["token_endpoint_auth_method"], "none")
    assert.deepInclude(registrationOf("claude-code", 41_000), {
      redirect_uris: ["http://localhost:41000/callback"],
      application_type: "native"
    })
    assert.deepInclude(registrationOf("claude", 41_000), { application_type: "web" })
    assert.isUndefined(registrationOf("windsurf", 41_000))
  })
})
