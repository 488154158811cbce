import { assert, describe, it } from "@effect/vitest"

import { handler as hosted } from "../../src/server/Server.ts"
import { ClerkUnavailable } from "../../src/server/clerk/ClerkError.ts"
import fixture from "./fixture/worker.ts"
import { connect } from "../../src/server/testing/McpClient.ts"
import { testServer } from "../../src/server/testing/TestServer.ts"
import { testApp } from "../support/TestApp.ts"
import { settings } from "../support/TestConfig.ts"
import { jsonOf } from "../../src/server/testing/Visitor.ts"

describe("application", () => {
  it("runs in a test, with Clerk, the store and the objects of users swapped for stand-ins", async () => {
    const server = testServer(fixture, { users: [{ role: "admin" }], settings: { FIXTURE_COLOUR: "red" } })
    const client = await server.connect({}, { scopes: ["paint:use"] })
    const { structuredContent } = await client.callTool({ name: "whoAmI", arguments: {} })
    assert.deepInclude(structuredContent, { userId: "user_ada", role: "admin" })
  })

  it("serves tools, resources and prompts to a client without a session", async () => {
    const { handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada", "mcp:tools paint:use")
    const client = await connect(handler, access_token)

    const { tools } = await client.listTools()
    assert.deepStrictEqual(tools.map(({ name }) => name).toSorted(), ["endOthers", "paint", "sum", "whoAmI"])
    const sum = await client.callTool({ name: "sum", arguments: { a: 1, b: 2 } })
    assert.deepStrictEqual(sum.structuredContent, { sum: 3 })
    assert.isUndefined(sum.isError)

    const image = await client.callTool({ name: "paint", arguments: { prompt: "a lighthouse" } })
    assert.deepInclude(image.structuredContent, { colour: "red", steps: 4 })
    assert.deepInclude(image.content[1], { type: "image", mimeType: "image/png" })

    const { resources } = await client.listResources()
    assert.deepStrictEqual(
      resources.map(({ uri }) => uri),
      ["fixture://me"]
    )
    const { contents } = await client.readResource({ uri: "fixture://me" })
    assert.include(JSON.stringify(contents), "ada@example.com")

    const { prompts } = await client.listPrompts()
    assert.deepStrictEqual(
      prompts.map(({ name }) => name),
      ["introduce"]
    )
    const { messages } = await client.getPrompt({ name: "introduce", arguments: { audience: "the board" } })
    assert.include(JSON.stringify(messages), "Introduce Ada to the board")
  })

  it("answers wrong arguments as the tool, by their names", async () => {
    const { handler, visitor } = testApp()
    const client = await connect(handler, (await visitor.signIn("user_ada")).access_token)
    const answer = await client.callTool({ name: "sum", arguments: { a: "one", c: 3 } })
    assert.isTrue(answer.isError)
    for (const name of ["a", "b", "c"]) assert.include(JSON.stringify(answer.content), `\\"${name}\\"`)
  })

  it("reports progress to a client that asked for it", async () => {
    const { handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada", "mcp:tools paint:use")
    const client = await connect(handler, access_token)
    const steps: Array<number> = []
    await client.callTool(
      { name: "paint", arguments: { prompt: "a lighthouse", steps: 5 } },
      { onprogress: ({ progress }) => void steps.push(progress) }
    )
    assert.deepStrictEqual(steps, [1, 2, 3, 4, 5])
  })

  it("shows and allows what the role allows, at each call anew", async () => {
    const { clerk, handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_mina", "mcp:tools paint:use")
    const client = await connect(handler, access_token)
    const { tools } = await client.listTools()
    assert.deepStrictEqual(tools.map(({ name }) => name).toSorted(), ["endOthers", "sum", "whoAmI"])
    const refused = await client.callTool({ name: "paint", arguments: { prompt: "a lighthouse" } })
    assert.isTrue(refused.isError)
    assert.include(JSON.stringify(refused.content), "role premium")
    assert.strictEqual(clerk.calls, 1)
  })

  it("challenges a token that lacks a scope with 403, naming all that are needed", async () => {
    const { handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada", "mcp:tools")
    const challenges: Array<string | null> = []
    const client = await connect(async (request) => {
      const response = await handler(request)
      if (response.status === 403) challenges.push(response.headers.get("www-authenticate"))
      return response
    }, access_token)
    const call = client.callTool({ name: "paint", arguments: { prompt: "a lighthouse" } })
    assert.instanceOf(await call.catch((error: unknown) => error), Error)
    assert.strictEqual(challenges.length, 1)
    assert.include(challenges[0], 'error="insufficient_scope"')
    assert.include(challenges[0], 'scope="mcp:tools paint:use"')
    assert.include(challenges[0], "https://mcp.example.com/.well-known/oauth-protected-resource/mcp")
    const sum = await client.callTool({ name: "sum", arguments: { a: 1, b: 1 } })
    assert.deepStrictEqual(sum.structuredContent, { sum: 2 })
  })

  it("takes a role away within a minute", async () => {
    const { clerk, handler, visitor, wait } = testApp()
    const client = await connect(handler, (await visitor.signIn("user_ada", "mcp:tools paint:use")).access_token)
    clerk.users.set("user_ada", { role: "guest" })
    wait(61)
    const answer = await client.callTool({ name: "paint", arguments: { prompt: "a lighthouse" } })
    assert.isTrue(answer.isError)
    const { structuredContent } = await client.callTool({ name: "whoAmI", arguments: {} })
    assert.deepInclude(structuredContent, { role: "guest" })
  })

  it("takes the tokens of a closed account for invalid, and gives out no new ones", async () => {
    const { clerk, handler, visitor, wait } = testApp()
    const { access_token, refresh_token, clientId } = await visitor.signIn("user_ada")
    const call = () =>
      handler(
        new Request("https://mcp.example.com/mcp", {
          headers: { authorization: `Bearer ${access_token}`, host: "mcp.example.com" }
        })
      )
    const before = await call()
    assert.notStrictEqual(before.status, 401)
    clerk.users.set("user_ada", { banned: true })
    wait(61)
    const after = await call()
    assert.strictEqual(after.status, 401)
    assert.include(after.headers.get("www-authenticate"), 'error="invalid_token"')
    const refreshed = await visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
    assert.deepInclude(await jsonOf(refreshed), { error: "invalid_grant" })
    const back = await visitor.authorize(clientId, "user_ada")
    assert.strictEqual(back.searchParams.get("error"), "access_denied")
  })

  it("keeps connections through an outage of Clerk, refuses calls, and tells when to try again", async () => {
    const { clerk, handler, visitor, wait } = testApp()
    const { access_token, refresh_token, clientId } = await visitor.signIn("user_ada")
    const client = await connect(handler, access_token)
    const add = () => client.callTool({ name: "sum", arguments: { a: 1, b: 2 } })
    const refresh = () => visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
    clerk.outage = new ClerkUnavailable({ operation: "users.getUser", status: 503, retryAfter: 20 })
    wait(359)
    assert.isUndefined((await add()).isError)
    wait(2)
    const refused = await add()
    assert.isTrue(refused.isError)
    assert.include(JSON.stringify(refused.content), "cannot be checked right now")
    const unavailable = await refresh()
    assert.strictEqual(unavailable.status, 503)
    assert.strictEqual(unavailable.headers.get("retry-after"), "18")
    assert.deepInclude(await jsonOf(unavailable), { error: "temporarily_unavailable" })
    clerk.outage = undefined
    wait(20)
    assert.isUndefined((await add()).isError)
    assert.strictEqual((await refresh()).status, 200)
  })

  it("signs nobody in while Clerk cannot say who may", async () => {
    const { clerk, visitor } = testApp()
    clerk.outage = new ClerkUnavailable({ operation: "users.getUser" })
    const back = await visitor.authorize(await visitor.register(), "user_ada")
    assert.strictEqual(back.searchParams.get("error"), "temporarily_unavailable")
    assert.strictEqual(back.searchParams.get("state"), "the-state-of-the-client")
    assert.strictEqual(back.searchParams.get("iss"), "https://mcp.example.com")
  })
})

describe("handler", () => {
  const keepAlive = () => {}

  it("names what is not set, at every address, and serves nothing else", async () => {
    const handle = hosted(
      fixture.server,
      { ...settings, CLERK_SECRET_KEY: "", PUBLIC_URL: "http://not.local" },
      keepAlive
    )
    for (const path of ["/", "/mcp", "/authorize", "/.well-known/oauth-authorization-server", "/anything"]) {
      const response = await handle(new Request(`https://mcp.example.com${path}`, { method: "POST" }))
      assert.strictEqual(response.status, 500)
      const text = await response.text()
      for (const name of ["CLERK_SECRET_KEY", "PUBLIC_URL"]) assert.include(text, `<code>${name}</code>`)
      assert.notInclude(text, "not.local")
      assert.notInclude(text, "CLERK_CLIENT_ID")
    }
  })

  it("names it in plain text to a program that asks for that", async () => {
    const handle = hosted(fixture.server, { ...settings, FIXTURE_COLOUR: "" }, keepAlive)
    const asked = { headers: { accept: "text/plain" } }
    const response = await handle(new Request("https://mcp.example.com/health", asked))
    assert.strictEqual(response.status, 500)
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/u)
    assert.match(await response.text(), /^This server is not set up yet: FIXTURE_COLOUR is missing: /u)
  })

  it("serves the application from a complete environment, asking nothing of the outside to start", async () => {
    const handle = hosted(fixture.server, settings, keepAlive)
    const landing = await handle(new Request("https://mcp.example.com/"))
    assert.include(await landing.text(), "claude mcp add --transport http fixture-server https://mcp.example.com/mcp")
    assert.strictEqual((await handle(new Request("https://mcp.example.com/health"))).status, 200)
    assert.strictEqual((await handle(new Request("https://mcp.example.com/nothing"))).status, 404)
  })
})
