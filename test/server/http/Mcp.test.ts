import { assert, describe, it } from "@effect/vitest"

import type { Post } from "../../../src/server/account/Session.ts"
import type { TestServer } from "../../../src/server/testing/TestServer.ts"
import { testApp } from "../../support/TestApp.ts"
import { jsonOf } from "../../../src/server/testing/Visitor.ts"

const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })
const request = (headers: Readonly<Record<string, string>> = {}, path = "/mcp", method = "POST") =>
  new Request(`https://mcp.example.com${path}`, {
    method,
    headers: {
      host: "mcp.example.com",
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...headers
    },
    ...(method === "POST" && { body })
  })

describe("/mcp", () => {
  it("challenges whoever brings no token, before anything else, whatever the method", async () => {
    const { handler, kv } = testApp()
    for (const method of ["POST", "GET", "DELETE"]) {
      const response = await handler(request({}, "/mcp", method))
      assert.strictEqual(response.status, 401)
      const challenge = response.headers.get("www-authenticate") ?? ""
      assert.match(challenge, /^Bearer /u)
      assert.include(challenge, "https://mcp.example.com/.well-known/oauth-protected-resource/mcp")
      assert.include(challenge, 'scope="mcp:tools"')
    }
    assert.deepStrictEqual(kv.calls, [])
  })

  it("calls a token invalid that is none of its own", async () => {
    const { handler } = testApp()
    for (const token of ["x", "user_ada:grant:secret", "a:b:c:d"]) {
      const response = await handler(request({ authorization: `Bearer ${token}` }))
      assert.strictEqual(response.status, 401)
      assert.include(response.headers.get("www-authenticate"), 'error="invalid_token"')
    }
  })

  it("serves a good token, also to a web page of a hosted client or of the operator", async () => {
    const { handler, visitor } = testApp({ ALLOWED_ORIGINS: "web.example.com, other.example.com" })
    const { access_token } = await visitor.signIn("user_ada")
    for (const origin of [undefined, "https://claude.ai", "https://other.example.com", "http://localhost:6274"]) {
      const sent = { authorization: `Bearer ${access_token}`, ...(origin !== undefined && { origin }) }
      assert.strictEqual((await handler(request(sent))).status, 200, origin)
    }
  })

  it("answers a session's client as it can read it, and tells it to come back when the session does not answer", async () => {
    const events = 'id: 1\ndata: \n\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    const answer = () => Promise.resolve(new Response(events, { headers: { "content-type": "text/event-stream" } }))
    const ask = async (accept: string, answer: () => Promise<Response>) => {
      const app: TestServer = testApp({
        ACCOUNT_AGENT: {
          getByName: (name: string) => {
            const object = app.accounts.namespace.getByName(name)
            const post = async ({ bearer }: Post) => ({ ...(await object.admit(bearer)), answer: await answer() })
            return { ...object, post }
          }
        }
      })
      const { access_token } = await app.visitor.signIn("user_ada")
      const sent = { authorization: `Bearer ${access_token}`, "mcp-session-id": "x", accept }
      return app.handler(request(sent))
    }
    assert.strictEqual(await (await ask("application/json, text/event-stream", answer)).text(), events)
    assert.strictEqual(await (await ask("*/*", answer)).text(), events)
    const json = await ask("application/json", answer)
    assert.strictEqual(json.headers.get("content-type"), "application/json")
    assert.deepStrictEqual(await jsonOf(json), { jsonrpc: "2.0", id: 1, result: {} })
    assert.strictEqual((await ask("text/html", answer)).status, 406)
    const broken = await ask("*/*", () => Promise.reject(new Error("overloaded")))
    assert.strictEqual(broken.status, 503)
    assert.strictEqual(broken.headers.get("retry-after"), "1")
    assert.notInclude(await broken.text(), "overloaded")
  })

  it("takes a message of more than 64 KiB to the object of a session only with a good token", async () => {
    const posted: Array<number> = []
    const app: TestServer = testApp({
      ACCOUNT_AGENT: {
        getByName: (name: string) => {
          const object = app.accounts.namespace.getByName(name)
          const post = async ({ bearer, body: message }: Post) => {
            posted.push(message.length)
            return { ...(await object.admit(bearer)), answer: new Response(null, { status: 202 }) }
          }
          return { ...object, post }
        }
      }
    })
    const { access_token: good } = await app.visitor.signIn("user_ada")
    const send = async (token: string, length: number, declared?: number) => {
      const head = { authorization: `Bearer ${token}`, "mcp-session-id": "x" }
      const { url, method, headers } = request({
        ...head,
        ...(declared !== undefined && { "content-length": String(declared) })
      })
      const params = { name: "sum", arguments: { text: "x".repeat(length) } }
      const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params })
      const sent = new Request(url, { method, headers, body: message })
      const { status } = await app.handler(sent)
      return { status, read: sent.bodyUsed }
    }
    for (const declared of [undefined, 70_000]) {
      assert.strictEqual((await send("user_ada:grant:secret", 70_000, declared)).status, 401)
    }
    assert.deepStrictEqual(posted, [])
    // What is declared to be large is not even read.
    assert.isTrue((await send("user_ada:grant:secret", 70_000)).read)
    assert.isFalse((await send("user_ada:grant:secret", 70_000, 70_000)).read)
    assert.strictEqual((await send("user_ada:grant:secret", 100)).status, 401)
    assert.strictEqual((await send(good, 70_000)).status, 202)
    assert.strictEqual((await send(good, 70_000, 70_000)).status, 202)
    const [small, ...large] = posted
    assert.isBelow(small ?? Infinity, 1_000)
    assert.lengthOf(large, 2)
    for (const length of large) assert.isAbove(length, 70_000)
  })

  it("takes a batch of 10 messages and no more", async () => {
    const { handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada")
    const batch = async (size: number) => {
      const messages = Array.from({ length: size }, (_, id) => ({ jsonrpc: "2.0", id, method: "tools/list" }))
      const { url, method, headers } = request({ authorization: `Bearer ${access_token}` })
      return handler(new Request(url, { method, headers, body: JSON.stringify(messages) }))
    }
    assert.strictEqual((await batch(10)).status, 200)
    const refused = await batch(11)
    assert.strictEqual(refused.status, 400)
    assert.include(await refused.text(), "A batch may hold 10 messages")
  })

  it("refuses a foreign host or origin, token or not", async () => {
    const { handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada")
    const authorization = `Bearer ${access_token}`
    for (const foreign of [
      { host: "evil.example" },
      { host: "localhost" },
      { origin: "https://evil.example" },
      { origin: "https://claude.ai.evil.example" },
      { origin: "null" }
    ]) {
      assert.strictEqual((await handler(request({ authorization, ...foreign }))).status, 403, JSON.stringify(foreign))
    }
  })

  it("refuses a token in the address, whatever else the request carries", async () => {
    const { handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada")
    const response = await handler(
      request({ authorization: `Bearer ${access_token}` }, `/mcp?access_token=${access_token}`)
    )
    assert.strictEqual(response.status, 400)
    assert.include(response.headers.get("www-authenticate"), 'error="invalid_request"')
    assert.notInclude(await response.text(), access_token)
  })

  it("describes the resource under its path and at the root, and the server with its whole catalogue", async () => {
    const { handler } = testApp()
    const get = async (path: string) => jsonOf(await handler(request({}, path, "GET")))
    for (const path of ["", "/mcp"]) {
      const metadata = await get(`/.well-known/oauth-protected-resource${path}`)
      assert.deepInclude(metadata, {
        resource: "https://mcp.example.com/mcp",
        authorization_servers: ["https://mcp.example.com"],
        scopes_supported: ["mcp:tools"]
      })
    }
    assert.deepInclude(await get("/.well-known/oauth-protected-resource/sse"), {
      resource: "https://mcp.example.com/sse"
    })
    assert.deepInclude(await get("/.well-known/oauth-authorization-server"), {
      issuer: "https://mcp.example.com",
      authorization_endpoint: "https://mcp.example.com/authorize",
      token_endpoint: "https://mcp.example.com/token",
      registration_endpoint: "https://mcp.example.com/register",
      scopes_supported: ["mcp:tools", "paint:use", "grants:end"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true
    })
  })
})
