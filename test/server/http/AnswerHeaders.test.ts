import { assert, describe, it } from "@effect/vitest"

import { handler as host } from "../../../src/server/Server.ts"
import fixture from "../fixture/worker.ts"
import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, type Handler, type Visitor } from "../../../src/server/testing/Visitor.ts"

const server = "https://mcp.example.com"
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

/** Paths whose answers no other page can read. */
const own = ["/authorize", "/callback"]

/** Paths that clients in a browser call, and some that no route knows. */
const open = [
  "/",
  "/health",
  "/token",
  "/register",
  "/.well-known/oauth-authorization-server",
  "/.well-known/oauth-protected-resource",
  "/.well-known/oauth-protected-resource/mcp",
  "/.well-known/oauth-protected-resource/sse",
  "/.well-known/openid-configuration",
  "/mcp",
  "/mcp?access_token=x",
  "/sse",
  "/sse/message",
  "/webhooks/clerk",
  "/no/such/page",
  "/%E0%A4%A"
]

const bodies: ReadonlyArray<readonly [type: string, body: string]> = [
  ["text/plain", "x"],
  ["application/json", "{}"],
  ["application/json", '{"redirect_uris":["https://client.example/callback"]}'],
  ["application/json", `"${"x".repeat(1_100_000)}"`],
  ["application/x-www-form-urlencoded", "grant_type=refresh_token&refresh_token=a:b:c&client_id=x"],
  ["application/x-www-form-urlencoded", `a=${"x".repeat(70_000)}`]
]

const requestsTo = (path: string, method: string, further: Readonly<Record<string, string>> = {}) => {
  const request = (headers: Readonly<Record<string, string>>, body?: string) =>
    new Request(new URL(path, server), {
      method,
      headers: { host: "mcp.example.com", origin: "https://claude.ai", ...further, ...headers },
      ...(body !== undefined && { body })
    })
  return method === "GET" || method === "HEAD" || method === "OPTIONS"
    ? [request({}), request({ authorization: "Bearer user_ada:grant:secret" })]
    : bodies.flatMap(([type, body]) => [request({ "content-type": type }, body)])
}

const check = (response: Response, what: string, readable: boolean, secure = true) => {
  const { headers } = response
  assert.strictEqual(headers.get("x-content-type-options"), "nosniff", what)
  assert.match(headers.get("cache-control") ?? "", /no-store|no-cache/u, what)
  assert.strictEqual(headers.has("strict-transport-security"), secure, what)
  assert.strictEqual(headers.get("access-control-allow-origin"), readable ? "https://claude.ai" : null, what)
  assert.isNull(headers.get("access-control-allow-credentials"), what)
  if (readable) {
    assert.include((headers.get("vary") ?? "").toLowerCase(), "origin", what)
    assert.match(headers.get("access-control-expose-headers") ?? "", /WWW-Authenticate.*Retry-After/u, what)
  }
}

/** Sends everything everywhere, and answers with the statuses that came about. */
const walk = async (handler: Handler, paths: ReadonlyArray<string>, readable: boolean, further = {}) => {
  const statuses = new Set<number>()
  for (const path of paths) {
    for (const method of methods) {
      for (const request of requestsTo(path, method, further)) {
        const response = await handler(request)
        check(response, `${method} ${path} ${response.status}`, readable)
        if (response.headers.get("content-type")?.includes("text/html") === true) {
          assert.include(response.headers.get("content-security-policy") ?? "", "form-action ", path)
        }
        statuses.add(response.status)
      }
    }
  }
  return [...statuses].toSorted((one, other) => one - other)
}

const signedIn = async (visitor: Visitor) => ({
  authorization: `Bearer ${(await visitor.signIn("user_ada")).access_token}`
})

describe("the headers of every answer", () => {
  it("are those of a client's endpoints, whatever is sent to them", async () => {
    const { handler } = testApp()
    const statuses = await walk(handler, open, true)
    for (const status of [200, 201, 204, 400, 401, 404, 405, 413, 415]) assert.include(statuses, status)
  })

  it("are the same for a client that has a token, and for one from a page that may not call", async () => {
    const { handler, visitor } = testApp()
    const statuses = await walk(handler, ["/mcp", "/sse", "/sse/message"], true, await signedIn(visitor))
    for (const status of [400, 405, 415]) assert.include(statuses, status)
    const foreign = new Request(`${server}/mcp`, { headers: { host: "evil.example", origin: "https://claude.ai" } })
    const refused = await handler(foreign)
    assert.strictEqual(refused.status, 403)
    check(refused, "another host", true)
  })

  it("are the same without a store", async () => {
    const { handler, kv } = testApp()
    kv.outage = true
    assert.include(await walk(handler, open, true), 503)
    const request = `/authorize?client_id=x&response_type=code`
    assert.include(await walk(handler, [...own, request], false), 503)
  })

  it("keep what belongs to a person from the scripts of other pages", async () => {
    const { handler, visitor } = testApp()
    await walk(handler, own, false)
    const request = new URLSearchParams(await authorizationRequest(await visitor.register()))
    for (const path of [`/authorize?${request.toString()}`, "/callback?state=x"]) {
      const response = await handler(new Request(new URL(path, server), { headers: { origin: "https://claude.ai" } }))
      check(response, path, false)
    }
  })

  it("are there on a server that is not set up, and say https only over https", async () => {
    const notSetUp = host(fixture.server, {}, () => {})
    check(
      await notSetUp(new Request(`${server}/mcp`, { headers: { origin: "https://claude.ai" } })),
      "not set up",
      true
    )
    const { handler } = testApp()
    check(await handler(new Request("http://mcp.example.com/")), "http", false, false)
  })
})
