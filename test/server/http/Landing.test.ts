import { assert, describe, it } from "@effect/vitest"

import { toWords } from "../../../src/server/access/PolicyWords.ts"
import { knownClients } from "../../../src/server/clients/KnownClients.ts"
import type { ServerDescription } from "../../../src/server/config/ServerInfo.ts"
import { Catalogue, Policy } from "../../../src/server/index.ts"
import { testServer } from "../../../src/server/testing/TestServer.ts"
import fixture from "../fixture/worker.ts"
import * as Painting from "../fixture/Painting.ts"
import * as People from "../fixture/People.ts"

const own = (described: Partial<ServerDescription> = {}) =>
  testServer({ catalogue: Catalogue.layer(Catalogue.tools(People.toolkit, People.layer)), ...described })

const get = (server: ReturnType<typeof testServer>, path = "/") =>
  server.handler(new Request(`https://mcp.example.com${path}`))

const unescaped = (markup: string) =>
  markup.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&amp;", "&")

describe("the landing page", () => {
  it("has for every known client its link, its configuration and what comes next", async () => {
    const markup = unescaped(await (await get(own({ name: "acme" }))).text())
    for (const { title, setup } of knownClients) {
      const { steps, link, copy, next } = setup({ name: "acme", address: "https://mcp.example.com/mcp" })
      for (const text of [title, steps, link, copy?.into, copy?.text, next]) assert.include(markup, text ?? "")
    }
  })

  it("names the tools with whom they are for, and none that is nobody's", async () => {
    const served = testServer(fixture, { settings: { FIXTURE_COLOUR: "red" } })
    const markup = await (await get(served)).text()
    for (const { name } of Object.values(Painting.toolkit.tools)) assert.include(markup, name)
    const words = toWords(Policy.all(Policy.roles("admin", "premium", "image_generation"), Policy.scopes("paint:use")))
    assert.include(markup, words)
    assert.notInclude(markup, toWords(Policy.nobody))
  })

  it("names no tool where the team keeps them to itself", async () => {
    assert.include(await (await get(own())).text(), "whoAmI")
    assert.notInclude(await (await get(own({ publicTools: false }))).text(), "whoAmI")
  })

  it("says what the server is for, whose it is, and where people get help", async () => {
    const markup = await (await get(own({ title: "Acme", description: "What <Acme> knows." }))).text()
    assert.include(markup, "What &lt;Acme&gt; knows.")
    assert.include(markup, "<span>Acme</span>")
    assert.include(markup, "Ask the operator of Acme.")
    const supported = await (await get(own({ brand: { support: "help@acme.example" } }))).text()
    assert.include(supported, 'href="mailto:help@acme.example"')
  })
})

describe("the picture of the server", () => {
  it("is served for tabs and for clients, kept, and runs nothing", async () => {
    for (const path of ["/favicon.svg", "/favicon.ico"]) {
      const response = await get(own({ title: "<acme", brand: { accent: "#ffee00" } }), path)
      assert.strictEqual(response.status, 200)
      assert.match(response.headers.get("content-type") ?? "", /^image\/svg\+xml/u)
      assert.match(response.headers.get("cache-control") ?? "", /^public/u)
      assert.match(response.headers.get("content-security-policy") ?? "", /^default-src 'none'/u)
      const svg = await response.text()
      assert.include(svg, 'fill="#ffee00"')
      assert.include(svg, 'fill="#000000"')
      assert.match(svg, />\s*&lt;\s*<\/text>/u)
    }
  })

  it("is the brand's logo where there is one", async () => {
    const logo = "data:image/png;base64,AAAA"
    assert.include(await (await get(own({ brand: { logo } }), "/favicon.svg")).text(), `href="${logo}"`)
  })

  it("is what clients are told of, with where people read on, unless the team says otherwise", async () => {
    const told = async (described: Partial<ServerDescription>) =>
      (await own({ description: "What Acme knows.", ...described }).connect({})).getServerVersion()
    assert.deepInclude(await told({}), {
      description: "What Acme knows.",
      websiteUrl: "https://mcp.example.com/",
      icons: [{ src: "https://mcp.example.com/favicon.svg", mimeType: "image/svg+xml", sizes: ["any"] }]
    })
    const icons = [{ src: "https://acme.example/icon.png" }]
    assert.deepInclude(await told({ icons, websiteUrl: "https://acme.example/mcp" }), {
      websiteUrl: "https://acme.example/mcp",
      icons
    })
  })

  it("stands beside an address of the website that is one", async () => {
    const response = await get(own({ websiteUrl: "javascript:alert(1)" })).catch((error: unknown) => String(error))
    assert.include(typeof response === "string" ? response : await response.text(), "websiteUrl is an https: address.")
  })
})
