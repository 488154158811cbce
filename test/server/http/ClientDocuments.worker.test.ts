import { assert, describe, it } from "@effect/vitest"
import * as oauth from "oauth4webapi"

import { person } from "../../support/workerd/Caller.ts"
import { places, publisher } from "../../support/workerd/Places.ts"

/** The address that a client opens whose `client_id` is the address of a document. */
const authorize = async (document: string, redirectUri = "http://127.0.0.1:4711/callback"): Promise<URL> => {
  const address = new URL("/authorize", places.app)
  address.search = new URLSearchParams({
    client_id: document,
    response_type: "code",
    redirect_uri: redirectUri,
    scope: "mcp:tools",
    state: "a-state-of-the-client",
    resource: `${places.app}/mcp`,
    code_challenge: await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier()),
    code_challenge_method: "S256"
  }).toString()
  return address
}

/** Opens the address as a person's browser does, who is sent nowhere. */
const opened = async (document: string, redirectUri?: string) =>
  person("member@example.com").browser.send(await authorize(document, redirectUri))

describe("a client that is known by its published document (CIMD), in workerd", () => {
  it("is introduced by its domain, which is verified", async () => {
    const page = await opened(`${publisher}/good.json`)
    assert.strictEqual(page.status, 200)
    assert.include(page.html, `Allow <bdi class="name">Published App</bdi>`)
    assert.include(page.html, "<strong>apps.example</strong>, which is verified")
    assert.notInclude(page.html, "not verified")
    assert.include(page.html, "127.0.0.1")
  })

  it("gets its code, on another port of the loopback address than it published (RFC 8252, section 7.3)", async () => {
    const address = await authorize(`${publisher}/good.json`, "http://127.0.0.1:50123/callback")
    const back = await person("member@example.com").authorize(address)
    assert.strictEqual(back.origin, "http://127.0.0.1:50123")
    assert.strictEqual(back.searchParams.get("state"), "a-state-of-the-client")
    assert.strictEqual(back.searchParams.get("iss"), places.app)
    assert.isNotEmpty(back.searchParams.get("code"))
  })

  for (const [what, document] of [
    ["names another client", `${publisher}/somebody-else.json`],
    ["is larger than 5 KB", `${publisher}/large.json`],
    ["is no JSON", `${publisher}/not-json.json`],
    ["is answered with an error", `${publisher}/broken.json`],
    ["does not exist", `${publisher}/nothing.json`]
  ] as const) {
    it(`is refused on a page if the document ${what}`, async () => {
      const page = await opened(document)
      assert.strictEqual(page.status, 400)
      assert.include(page.html, "This app could not be verified")
      assert.match(page.html, /Reference: <code>[A-Z2-9]{8}<\/code>/u)
      assert.isFalse(page.headers.has("location"))
    })
  }

  it("is told apart, on a page with another way on, if nobody answers at the address of its document", async () => {
    const page = await opened("https://nobody.example/app.json")
    assert.strictEqual(page.status, 503)
    assert.include(page.html, "could not be fetched")
    assert.include(page.html, "If this server is offline, let the app register here instead")
    assert.notInclude(page.html, "could not be verified")
    assert.match(page.html, /Reference: <code>[A-Z2-9]{8}<\/code>/u)
    assert.isFalse(page.headers.has("location"))
  })

  it("is refused if its address leads on to another one, which may be anybody's (draft, client information discovery)", async () => {
    const page = await opened(`${publisher}/moved.json`)
    assert.strictEqual(page.status, 400)
    assert.include(page.html, "This app could not be verified")
  })

  it("is not read at an address that is written in another way than it is asked", async () => {
    for (const clientId of [
      `${publisher}/moved.json`.replace("https", "HTTPS"),
      `${publisher}/moved.json`.replace("https", "hTTps"),
      `${publisher}/x/../good.json`
    ]) {
      const page = await opened(clientId)
      assert.strictEqual(page.status, 400, clientId)
      assert.isFalse(page.headers.has("location"))
    }
  })

  for (const redirectUri of ["https://elsewhere.example/callback", "http://127.0.0.1:4711/elsewhere"]) {
    it(`is refused on a page if it wants its code at ${redirectUri}, which the document does not name`, async () => {
      const page = await opened(`${publisher}/good.json`, redirectUri)
      assert.strictEqual(page.status, 400)
      assert.match(page.html, /Reference: <code>[A-Z2-9]{8}<\/code>/u)
      assert.isFalse(page.headers.has("location"))
    })
  }
})

describe("a server for published clients only, in workerd", () => {
  it("takes a client that is known by its published document, and no other one", async () => {
    const opened = async (clientId: string) => {
      const { search } = await authorize(clientId)
      const page = await fetch(`${places.publishedOnly}/authorize${search}`, { redirect: "manual" })
      return { status: page.status, html: await page.text() }
    }
    const published = await opened(`${publisher}/good.json`)
    assert.strictEqual(published.status, 200)
    assert.include(published.html, "Published App")
    const other = await opened("a-client-that-registered")
    assert.strictEqual(other.status, 403)
    assert.include(other.html, "client metadata document")
  })
})
