import { assert, layer } from "@effect/vitest"

import type { Fault } from "../../../dev/clerk/Faults.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { type UserGrant, once, onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy, modern } from "../../support/Wire.ts"

type Effects = Fault["effect"]

const unknown =
  /^Your permissions cannot be checked right now\. Please try again in a moment\.(?: Reference [2-9A-Z]{8})?$/u
const rateLimited: Effects = { kind: "rate_limited", retryAfterSeconds: 17 }
const down: Effects = { kind: "server_error" }
const slow: Effects = { kind: "delay", millis: 6_000 }
const malformed: Effects = { kind: "malformed_json" }

/** Every request of Clerk under `path` meets `effect`, until the next reset. */
const fault = (server: Server, path: string, effect: Effects) =>
  server.admin((admin) => admin.addFault({ path, times: 1_000, effect }))

const cases = [
  { what: "limits requests", who: "admin", effect: rateLimited, retryAfter: [10, 17] },
  { what: "fails", who: "premium", effect: down, retryAfter: [1, 6] },
  { what: "does not answer", who: "artist", effect: slow, retryAfter: [1, 6] },
  { what: "answers nonsense", who: "member", effect: malformed, retryAfter: [1, 6] }
] as const

type Who = (typeof cases)[number]["who"]

/** Four people are connected, and for each the Backend API has its own trouble, of which the Worker does not know yet. */
const outage = once(async (server) => {
  await server.admin((admin) => admin.reset)
  await server.restart()
  const people = {} as Record<Who, UserGrant>
  for (const { who } of cases) people[who] = await server.signIn(`${who}@example.com`)
  await server.restart()
  for (const { who, effect } of cases) await fault(server, `/v1/users/${server.clerk.users[who].id}`, effect)
  return people
})

layer(RunningServer.layer)("outages of Clerk", (it) => {
  // In this order: the first ones need a Worker that has fetched no keys yet.
  for (const [path, effect, email, error] of [
    ["/.well-known/jwks.json", down, "admin@example.com", "temporarily_unavailable"],
    ["/.well-known/jwks.json", malformed, "admin@example.com", "temporarily_unavailable"],
    ["/oauth/token", rateLimited, "admin@example.com", "temporarily_unavailable"],
    ["/oauth/token", down, "admin@example.com", "temporarily_unavailable"],
    ["/oauth/token", malformed, "admin@example.com", "server_error"],
    ["/v1/users", down, "member@example.com", "temporarily_unavailable"],
    // Last: a rate limit keeps the Worker from asking about anybody.
    ["/v1/users", rateLimited, "admin@example.com", "temporarily_unavailable"]
  ] as const) {
    it.effect(
      `a sign-in that meets ${effect.kind} at ${path} ends at the client as ${error}`,
      onServer(async (server) => {
        const client = await OAuthClient.register(server.mcp)
        const attempt = await client.begin()
        await fault(server, path, effect)
        const back = await server.person(email).authorize(attempt.address)
        assert.isAtLeast(await server.admin((admin) => admin.countRequests(path)), 1)
        await server.admin((admin) => admin.reset)
        assert.sameMembers([...back.searchParams.keys()], ["error", "error_description", "state", "iss"])
        assert.strictEqual(back.searchParams.get("error"), error)
        assert.strictEqual(back.searchParams.get("state"), attempt.state)
        assert.strictEqual(back.searchParams.get("iss"), server.url)
        assert.match(back.searchParams.get("error_description") ?? "", /Reference [2-9A-Z]{8}$/u)
      })
    )
  }

  for (const { what, who, retryAfter } of cases) {
    it.effect(
      `while the Backend API ${what}, calls are refused in words, and a refresh is put off`,
      onServer(async (server) => {
        const { accessToken, client, refreshToken } = (await outage(server))[who]
        // A rate limit that another case ran into would keep this Worker from asking at all.
        await server.restart()
        for (const send of [legacy, modern]) {
          const add = await send(server.mcp, accessToken, "tools/call", { name: "sum", arguments: { a: 1, b: 1 } })
          assert.strictEqual(add.status, 200)
          assert.isTrue(add.result?.["isError"])
          const [said] = (add.result?.["content"] ?? []) as ReadonlyArray<{ readonly text: string }>
          assert.match(said?.text ?? "", unknown)
          for (const method of ["tools/list", "resources/list", "prompts/list"]) {
            const list = await send(server.mcp, accessToken, method)
            assert.strictEqual(list.error?.code, -32_603)
            assert.match(list.error?.message ?? "", unknown)
            assert.isBelow(list.status, 500, method)
          }
        }
        const refused = await client.token({ grant_type: "refresh_token", refresh_token: refreshToken })
        assert.strictEqual(refused.status, 503)
        assert.strictEqual((await refused.json<{ readonly error: string }>()).error, "temporarily_unavailable")
        const wait = Number(refused.headers.get("retry-after"))
        assert.isTrue(wait >= retryAfter[0] && wait <= retryAfter[1], `Retry-After ${wait}`)
      })
    )
  }

  it.effect(
    "an API that limits requests is left alone, whoever is asked about",
    onServer(async (server) => {
      const { admin, premium } = await outage(server)
      await server.restart()
      await legacy(server.mcp, admin.accessToken, "tools/list")
      await server.admin((admin) => admin.forgetRequests)
      for (const { accessToken } of [admin, premium, admin, premium]) {
        await legacy(server.mcp, accessToken, "tools/list")
      }
      assert.strictEqual(await server.admin((admin) => admin.countRequests("/v1/users")), 0)
    })
  )

  it.effect(
    "an outage costs nobody the connection, and a short one is not even noticed",
    onServer(async (server) => {
      const people = await outage(server)
      await server.admin((admin) => admin.reset)
      await server.restart()
      for (const { accessToken, client, refreshToken } of Object.values(people)) {
        assert.strictEqual((await legacy(server.mcp, accessToken, "tools/list")).status, 200)
        assert.isString((await client.refresh(refreshToken)).access_token)
      }
      await fault(server, "/v1/", down)
      for (const { accessToken } of Object.values(people)) {
        const { result } = await modern(server.mcp, accessToken, "tools/call", { name: "whoAmI", arguments: {} })
        assert.notOk(result?.["isError"])
      }
      await server.admin((admin) => admin.reset)
    })
  )
})
