import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { deliver } from "../../support/OpenSession.ts"
import { during } from "../../support/observed/Observed.ts"
import type { KvCall, Observations } from "../../support/observed/Observations.ts"
import { consentForm, leftFor } from "../../support/Person.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import type { Page } from "../../support/WebBrowser.ts"
import { legacy, modern } from "../../support/Wire.ts"

/** What one request costs: questions to Clerk, operations of KV, and calls of objects. */
interface Cost {
  readonly clerk: number
  /** Reads, writes, lists and deletions. */
  readonly kv: readonly [reads: number, writes: number, lists: number, deletions: number]
  readonly hops: ReadonlyArray<string>
}

const cost = (clerk: number, kv: Cost["kv"], ...hops: ReadonlyArray<string>): Cost => ({ clerk, kv, hops })

const free: Cost["kv"] = [0, 0, 0, 0]

/** What each kind of request costs. Whoever changes a number changes what the server costs to run. */
const pinned: Readonly<Record<string, Cost>> = {
  register: cost(0, [0, 1, 0, 0]),
  "authorize: the consent page": cost(0, [2, 1, 0, 0]),
  consent: cost(0, [1, 2, 0, 1]),
  callback: cost(4, [2, 1, 0, 1], "keep", "standing"),
  "exchange of a code": cost(0, [1, 0, 0, 0], "token"),
  refresh: cost(0, [1, 0, 0, 0], "token"),
  "call without a session": cost(0, free, "admit", "record"),
  "tools/list without a session": cost(0, free, "admit", "record"),
  initialize: cost(0, free, "post"),
  "call in a session": cost(0, free, "post"),
  "tools/list in a session": cost(0, free, "post"),
  "GET stream of a session": cost(0, free, "admit", "fetch"),
  // That a webhook came is noted at most once in ten minutes, for `/health`.
  "webhook on a user": cost(2, [1, 1, 0, 0], "hear"),
  "webhook on a user who never connected": cost(0, free, "hear"),
  "webhook on a role, of nobody": cost(0, free, "organizationsChanged"),
  "call without a session, a minute later": cost(2, free, "admit", "record"),
  revocation: cost(0, [1, 0, 0, 0], "token"),
  "call with a token that was revoked": cost(0, free, "admit")
}

/** What the Worker and its objects ask of Clerk; the rest is asked by browsers. */
const isAsked = (path: string) => path.startsWith("/v1/") || path === "/oauth/token" || path.includes("jwks")

const measured = async (server: Server, act: () => Promise<unknown>): Promise<Cost> => {
  await server.admin((admin) => admin.forgetRequests)
  // Decisions are recorded, and what a sign-in leaves is deleted, after the answer.
  const { kv, hops }: Observations = await during(server, act, 1_500)
  const requests = await server.admin((admin) => admin.requests)
  const clerk = requests.filter(({ path }) => isAsked(path)).reduce((sum, { count }) => sum + count, 0)
  const count = (method: KvCall["method"]) => kv.filter((call) => call.method === method).length
  const names = hops.map(({ by, method }) => (by === "worker" ? method : `object: ${method}`)).toSorted()
  return cost(clerk, [count("get"), count("put"), count("list"), count("delete")], ...names)
}

const row = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`

const table = (costs: ReadonlyMap<string, Cost>) => {
  const head = ["request", "Clerk", "KV read", "KV write", "KV list", "KV delete", "calls of objects"]
  const rows = [...costs].map(([what, { clerk, kv, hops }]) => row([what, clerk, ...kv, hops.join(", ") || "none"]))
  return [row(head), row(head.map(() => "---")), ...rows].join("\n")
}

const introduction = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "counted", version: "1" } }
const sum = { name: "sum", arguments: { a: 1, b: 2 } }

layer(RunningServer.layerObserved())("what a request costs", (it) => {
  it.effect(
    "in questions to Clerk, operations of KV and calls of objects, is what is written here",
    onServer(async (server) => {
      const costs = new Map<string, Cost>()
      const count = async (what: string, act: () => Promise<unknown>) => {
        costs.set(what, await measured(server, act))
      }
      const { mcp, url } = server
      const email = "member@example.com"
      const client = await OAuthClient.register(mcp)
      const person = server.person(email)
      const { browser } = person

      await count("register", () => OAuthClient.register(mcp))
      const attempt = await client.begin()
      let page: Page = { url: attempt.address, status: 0, html: "", headers: new Headers() }
      await count("authorize: the consent page", async () => {
        page = await browser.open(attempt.address)
      })
      await count("consent", async () => {
        page = await browser.send(new URL("/authorize", url), consentForm(page, { remember: true }))
      })
      page = await browser.open(page.headers.get("location") ?? "")
      let next = await browser.send(page.url, new URLSearchParams({ email }))
      let location = new URL(next.headers.get("location") ?? "", next.url)
      while (location.pathname !== "/callback") {
        next = await browser.send(location)
        location = new URL(next.headers.get("location") ?? "", next.url)
      }
      await count("callback", async () => {
        page = await browser.open(location)
      })
      let tokens = { access_token: "", refresh_token: "" }
      await count("exchange of a code", async () => {
        tokens = { refresh_token: "", ...(await client.redeem(attempt, leftFor(page))) }
      })
      await count("refresh", async () => {
        tokens = { refresh_token: "", ...(await client.refresh(tokens.refresh_token)) }
      })
      const token = tokens.access_token
      await count("call without a session", () => modern(mcp, token, "tools/call", sum))
      await count("tools/list without a session", () => modern(mcp, token, "tools/list"))
      let session = { headers: { "mcp-session-id": "" } }
      await count("initialize", async () => {
        const { headers } = await legacy(mcp, token, "initialize", introduction)
        session = { headers: { "mcp-session-id": headers.get("mcp-session-id") ?? "" } }
      })
      await count("call in a session", () => legacy(mcp, token, "tools/call", sum, session))
      await count("tools/list in a session", () => legacy(mcp, token, "tools/list", {}, session))
      await count("GET stream of a session", async () => {
        const { body } = await fetch(mcp, {
          headers: {
            ...session.headers,
            authorization: `Bearer ${token}`,
            accept: "text/event-stream"
          }
        })
        await body?.getReader().read()
      })
      const { id } = server.clerk.users.member
      await count("webhook on a user", () => deliver(server, "user.updated", { id, object: "user" }))
      await count("webhook on a user who never connected", () =>
        deliver(server, "user.updated", { id: server.clerk.users.premium.id, object: "user" })
      )
      await count("webhook on a role, of nobody", () => deliver(server, "role.updated", { object: "role" }))
      await server.restart()
      await count("call without a session, a minute later", () => modern(mcp, token, "tools/call", sum))
      await count("revocation", () => client.revoke(tokens.refresh_token))
      await count("call with a token that was revoked", () => modern(mcp, token, "tools/call", sum))

      console.info(`\n${table(costs)}\n`)
      assert.deepEqual(Object.fromEntries(costs), pinned)
    })
  )
})
