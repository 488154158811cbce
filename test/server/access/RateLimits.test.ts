import { assert, describe, it } from "@effect/vitest"

import { addressOf } from "../../../src/server/access/RateLimits.ts"
import { authorizationRequest, jsonOf, locationOf } from "../../../src/server/testing/Visitor.ts"
import { testApp } from "../../support/TestApp.ts"

/** Lets through so many requests of each key, as Cloudflare's binding does until its period ends. */
const allowing = (most: number) => {
  const counts = new Map<string, number>()
  const limit = async ({ key }: { readonly key: string }) => {
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    return { success: count <= most }
  }
  return { counts, limit }
}

/** A request's method, headers and body. */
interface Sent extends Omit<RequestInit, "headers"> {
  readonly headers?: Readonly<Record<string, string>>
}

const sent = (path: string, address: string | undefined, init: Sent = {}) =>
  new Request(new URL(path, "https://mcp.example.com"), {
    ...init,
    headers: { host: "mcp.example.com", ...init.headers, ...(address !== undefined && { "cf-connecting-ip": address }) }
  })

const registration = {
  method: "POST",
  headers: { "content-type": "application/json", origin: "https://web.example" },
  body: JSON.stringify({ redirect_uris: ["https://client.example/callback"], token_endpoint_auth_method: "none" })
}
const form = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "" }

const addressed = [
  ["RATE_LIMIT_REGISTER", "/register", registration, "json"],
  ["RATE_LIMIT_TOKEN", "/token", form, "json"],
  ["RATE_LIMIT_AUTHORIZE", "/authorize", {}, "page"],
  ["RATE_LIMIT_AUTHORIZE", "/authorize", form, "page"],
  ["RATE_LIMIT_AUTHORIZE", "/callback", {}, "page"],
  ["RATE_LIMIT_AUTHORIZE", "/callback", form, "page"]
] as const

describe("a limit by address", () => {
  for (const [name, path, init, shape] of addressed) {
    it(`stops a flood at ${"method" in init ? "POST" : "GET"} ${path}, tells how long to wait, and leaves others alone`, async () => {
      const { handler, kv } = testApp({ [name]: allowing(2) })
      const send = (address: string) => handler(sent(path, address, init))
      const first = await send("198.51.100.7")
      assert.notStrictEqual(first.status, 429)
      await send("198.51.100.7")
      const stored = kv.keys.length
      const refused = await send("198.51.100.7")
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "60")
      if (shape === "json") {
        const { error, error_description: description } = await jsonOf(refused)
        assert.strictEqual(error, "temporarily_unavailable")
        assert.match(String(description), /^[\x20\x21\x23-\x5B\x5D-\x7E]+$/u)
      } else {
        assert.include(await refused.text(), "Wait 60 seconds")
        assert.strictEqual(refused.headers.get("x-frame-options"), "DENY")
      }
      assert.lengthOf(kv.keys, stored)
      assert.strictEqual((await send("198.51.100.8")).status, first.status)
    })
  }

  it("is read by scripts of pages, and does not count their preflights", async () => {
    const limit = allowing(1)
    const { handler } = testApp({ RATE_LIMIT_REGISTER: limit })
    const preflight = { method: "OPTIONS", headers: { origin: "https://web.example" } }
    for (let times = 0; times < 3; times++) {
      assert.strictEqual((await handler(sent("/register", "198.51.100.7", preflight))).status, 204)
    }
    assert.strictEqual((await handler(sent("/register", "198.51.100.7", registration))).status, 201)
    const refused = await handler(sent("/register", "198.51.100.7", registration))
    assert.strictEqual(refused.headers.get("access-control-allow-origin"), "https://web.example")
    assert.include(refused.headers.get("access-control-expose-headers"), "Retry-After")
  })

  it("counts each endpoint for itself, under the server's own host", async () => {
    const limit = allowing(1)
    const { handler } = testApp({ RATE_LIMIT_AUTHORIZE: limit })
    for (const path of ["/authorize", "/callback"]) {
      assert.strictEqual((await handler(sent(path, "198.51.100.7"))).status, 400)
    }
    assert.deepStrictEqual(
      [...limit.counts.keys()],
      ["authorize mcp.example.com 198.51.100.7", "callback mcp.example.com 198.51.100.7"]
    )
  })

  for (const [what, name, path, binding] of [
    ["fails", "RATE_LIMIT_REGISTER", "/register", { limit: () => Promise.reject(new TypeError("it is gone")) }],
    ["never answers", "RATE_LIMIT_TOKEN", "/token", { limit: () => new Promise<never>(() => {}) }]
  ] as const) {
    it(`lets everything through where its binding ${what}, and says so once`, async () => {
      const { handler, log } = testApp({ [name]: binding })
      for (let times = 0; times < 2; times++) {
        const { status } = await handler(sent(path, "198.51.100.7", path === "/register" ? registration : form))
        assert.oneOf(status, [201, 401])
      }
      assert.lengthOf(
        log.filter((line) => line.includes("A rate limit does not answer")),
        1
      )
    })
  }

  it("is not there without its binding, which the log says once", async () => {
    const { handler, log } = testApp({ RATE_LIMIT_REGISTER: undefined, RATE_LIMIT_TOKEN: undefined })
    for (let times = 0; times < 3; times++) {
      assert.strictEqual((await handler(sent("/register", "198.51.100.7", registration))).status, 201)
    }
    const told = log.filter((line) => line.includes("Some requests have no rate limit"))
    assert.lengthOf(told, 1)
    assert.include(told[0], '"missing":["RATE_LIMIT_REGISTER","RATE_LIMIT_TOKEN"]')
  })

  it("is bounded in the log, which names no address", async () => {
    const { handler, log } = testApp({ RATE_LIMIT_REGISTER: allowing(0) })
    for (let times = 0; times < 30; times++) await handler(sent("/register", "198.51.100.7", registration))
    const told = log.filter((line) => line.includes("too many"))
    assert.lengthOf(told, 10)
    assert.notInclude(log.join("\n"), "198.51.100.7")
  })
})

describe("whom a request counts for", () => {
  const of = (address?: string) => addressOf(sent("/register", address))

  it("is the address, of an IPv6 address its network, and one for all without an address", () => {
    assert.strictEqual(of("198.51.100.7"), "198.51.100.7")
    assert.strictEqual(of("2001:DB8:0:7::1"), "2001:db8:0:7::/64")
    assert.strictEqual(of("2001:db8:0:7:ffff:1:2:3"), "2001:db8:0:7::/64")
    assert.strictEqual(of("2001:0db8:0000:0007::"), "2001:db8:0:7::/64")
    assert.strictEqual(of("2001:db8::1"), "2001:db8:0:0::/64")
    assert.strictEqual(of("::1"), "0:0:0:0::/64")
    assert.strictEqual(of("::ffff:198.51.100.7"), "::ffff:198.51.100.7")
    assert.strictEqual(of(), "unknown")
    assert.strictEqual(of(""), "unknown")
  })
})

describe("a limit by user", () => {
  const list = (token: string) =>
    sent("/mcp", "198.51.100.7", {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream"
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 7, method: "tools/list" })
    })

  it("counts requests with a good token only, refuses in words of the protocol, and leaves others alone", async () => {
    const limit = allowing(2)
    const { handler, visitor } = testApp({ RATE_LIMIT_USER: limit })
    const { access_token: ada } = await visitor.signIn("user_ada")
    const { access_token: mina } = await visitor.signIn("user_mina")
    for (let times = 0; times < 5; times++) {
      assert.strictEqual((await handler(list(`${ada}x`))).status, 401)
      assert.strictEqual((await handler(list("user_ada:grant:secret"))).status, 401)
    }
    assert.strictEqual((await handler(list(ada))).status, 200)
    assert.strictEqual((await handler(list(ada))).status, 200)
    const refused = await handler(list(ada))
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(refused.headers.get("retry-after"), "60")
    const message = "You sent too many requests. Send this one again in 60 seconds."
    assert.deepStrictEqual(await jsonOf(refused), { jsonrpc: "2.0", error: { code: -32000, message }, id: null })
    assert.strictEqual((await handler(list(mina))).status, 200)
    assert.deepStrictEqual(
      [...limit.counts.keys()],
      ["user mcp.example.com user_ada", "user mcp.example.com user_mina"]
    )
  })

  it("covers /sse, and its messages", async () => {
    const { handler, visitor } = testApp({ RATE_LIMIT_USER: allowing(0) })
    const clientId = await visitor.register()
    const request = { ...(await authorizationRequest(clientId)), resource: "https://mcp.example.com/sse" }
    const signIn = await visitor.decide(await visitor.get("/authorize", request), "approve")
    const state = signIn.searchParams.get("state") ?? ""
    const back = locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
    const { access_token: token } = await jsonOf(await visitor.redeem(clientId, back.searchParams.get("code") ?? ""))
    const headers = { authorization: `Bearer ${String(token)}` }
    assert.strictEqual((await handler(sent("/sse", undefined, { headers }))).status, 429)
    assert.strictEqual((await handler(sent("/sse/message", undefined, { method: "POST", headers }))).status, 429)
  })

  it("counts tokens of no connection for their address, tells who goes on to wait, and serves good tokens from there", async () => {
    const limit = allowing(2)
    const { handler, visitor } = testApp({ RATE_LIMIT_TOKEN: limit })
    const { access_token: ada } = await visitor.signIn("user_ada")
    for (const token of ["user_ada:grant:secret", "user_nobody:grant:secret"]) {
      assert.strictEqual((await handler(list(token))).status, 401)
    }
    const refused = await handler(list("user_ada:grant:secret"))
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(refused.headers.get("retry-after"), "60")
    assert.include(await refused.text(), "without a good access token")
    assert.strictEqual((await handler(list(ada))).status, 200)
    assert.strictEqual(limit.counts.get("bearer mcp.example.com 198.51.100.7"), 3)
  })

  it("refuses no less, and no more, where the binding for tokens of no connection fails", async () => {
    const { handler } = testApp({ RATE_LIMIT_TOKEN: { limit: () => Promise.reject(new TypeError("it is gone")) } })
    for (let times = 0; times < 3; times++) {
      assert.strictEqual((await handler(list("user_ada:grant:secret"))).status, 401)
    }
  })
})
