import { assert, describe, it } from "@effect/vitest"

import worker from "../../src/worker.ts"
import listing from "../../server.json" with { type: "json" }

const { title, version, description, name } = worker.server.description

/** What of the registry’s schema (2025-12-11) and of its rules this file can break. */
describe("server.json", () => {
  it("says of the server what the server says of itself", () => {
    const said = { title: listing.title, version: listing.version, description: listing.description }
    assert.deepStrictEqual(said, { title, version, description: description ?? "" })
    assert.strictEqual(listing.name.split("/")[1], name)
  })

  it("is what the MCP registry takes", () => {
    assert.strictEqual(listing.$schema, "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json")
    assert.match(listing.name, /^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/u)
    assert.isAtMost(listing.name.length, 200)
    for (const text of [listing.title, listing.description]) {
      assert.isAtLeast(text.length, 1)
      assert.isAtMost(text.length, 100)
    }
    assert.match(listing.version, /^\d+\.\d+\.\d+$/u)
  })

  it("names addresses of one server, in the name’s own domain", () => {
    const { origin, hostname } = new URL(listing.websiteUrl)
    const [domain = ""] = listing.name.split("/")
    assert.isTrue(`.${hostname}`.endsWith(`.${domain.split(".").toReversed().join(".")}`), domain)
    assert.deepStrictEqual(listing.remotes, [
      { type: "streamable-http", url: `${origin}/mcp` },
      { type: "sse", url: `${origin}/sse` }
    ])
    assert.deepStrictEqual(
      listing.icons.map(({ src }) => src),
      [`${origin}/favicon.svg`]
    )
  })
})
