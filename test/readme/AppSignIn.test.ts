import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { mcpServerTemplate } from "../../dev/clerk/JwtTemplates.ts"
import { readSettings } from "../../examples/app-kit/src/Settings.ts"
import { AppConfig } from "../../src/server/config/AppConfig.ts"
import { callTool, fakeApp } from "../../src/server/testing/index.ts"
import { clerkForApp } from "../support/StandInApp.ts"
import { jsonOf } from "../../src/server/testing/Visitor.ts"
import * as Orders from "./Orders.ts"
import { ordersRoute } from "./OrdersRoute.ts"

const root = join(import.meta.dirname, "../..")
const text = (path: string) => readFileSync(join(root, path), "utf8")
const docs = text("docs/app-sign-in.md")

/** What people may be told, by the Worker or by the kit. */
const sources = [...globSync("{src,examples/app-kit/src}/**/*.ts", { cwd: root })].map(text).join("\n")

/** The rows of every table of a chapter, by their first cell. */
const firstCells = (chapter: string): ReadonlyArray<string> =>
  [...(docs.split(`## ${chapter}\n`)[1]?.split("\n## ")[0] ?? "").matchAll(/^\| (`.*?) \| /gmu)].map(
    ([, cell]) => cell!
  )

const codeIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/gu)].map(([, code]) => code!)

describe("the guide to signing in through an app", () => {
  // What writes runs in test/server/capability/AppApiOverHttp.test.ts.
  it("quotes the tools, the routes and the test that run here", () => {
    for (const tool of ["Orders", "PlaceOrder"]) {
      assert.include(docs, text(`test/readme/${tool}.ts`).replaceAll('"../../src/', '"../'))
      assert.include(docs, text(`test/readme/${tool}Route.ts`))
    }
    assert.include(docs, text("test/tools/AppAccounts.test.ts"))
  })

  it("explains what the programs say, in their words", () => {
    const cells = firstCells("When something goes wrong")
    assert.isAtLeast(cells.length, 25)
    for (const said of cells.flatMap(codeIn)) {
      // The problem in brackets, with the number of a status, is put in where it is found.
      for (const piece of said.split(/\.\.\.|[()]|\d{3}/u).map((one) => one.trim())) {
        assert.include(sources, piece, said)
      }
    }
  })

  it.effect("names the settings that both sides ask for", () =>
    Effect.gen(function* () {
      const { problems } = yield* Effect.flip(AppConfig.decode({ SIGN_IN: "app" }))
      const elsewhere = new Set(["OAUTH_KV", "ACCOUNT_AGENT"])
      const worker = problems.map(({ name }) => name).filter((name) => !elsewhere.has(name))
      assert.include(worker, "APP_URL")
      const asked = yield* Effect.flip(Effect.try(() => readSettings({})))
      const app = [...String(asked.cause).matchAll(/^- ([A-Z_]+) is missing/gmu)].map(([, name]) => name!)
      assert.lengthOf(app, 5)
      const named = firstCells("3. Settings on both sides").flatMap(codeIn)
      for (const name of [...worker, ...app]) assert.include(named, name)
    })
  )

  it("shows the template that the stand-in has", () => {
    const shown = /```json\n(.*)\n```/u.exec(docs)?.[1] ?? ""
    assert.deepEqual(JSON.parse(shown), mcpServerTemplate("https://app.example.com"))
  })

  it("keeps Clerk's middleware for Next.js away from three paths, and from no other", () => {
    const shown = /matcher: (\[.*?\n {2}\])/su.exec(docs)?.[1] ?? ""
    const patterns = (JSON.parse(shown) as Array<string>).map((pattern) => new RegExp(`^${pattern}$`, "u"))
    const guarded = (path: string) => patterns.some((pattern) => pattern.test(path))
    for (const path of ["/auth/mcp", "/api/me", "/api/users"]) assert.isFalse(guarded(path), path)
    const others = [
      "/",
      "/auth",
      "/auth/mcp/more",
      "/auth/mcp2",
      "/api/me/keys",
      "/api/users/1",
      "/api/menu",
      "/api/x.json"
    ]
    for (const path of others) assert.isTrue(guarded(path), path)
  })

  it("names no file that is not there", () => {
    const paths = [...docs.matchAll(/`((?:examples|src|test)\/[\w./-]+)`/gu)].map(([, path]) => path!)
    assert.isAtLeast(paths.length, 10)
    for (const path of paths) {
      if (path !== "src/tools") assert.isTrue(existsSync(join(root, path)), path)
    }
  })

  it.effect("shows a tool that works", () => {
    const app = fakeApp(({ url }) => {
      const { pathname, search } = new URL(url)
      assert.strictEqual(pathname + search, "/api/orders?year=2026")
      return Response.json({ orders: [{ id: "o1", total: 12.5 }] })
    })
    const call = callTool(Orders.toolkit, Layer.provide(Orders.layer, app))
    return Effect.gen(function* () {
      const mine = yield* call("myOrders", { year: 2026 }, { as: { scopes: ["app:read"], clerkSessionId: "sess_1" } })
      assert.deepEqual(mine, { orders: [{ id: "o1", total: 12.5 }] })
    })
  })

  it.effect("shows a route that works", () =>
    Effect.gen(function* () {
      const { appUrl, clerk, settings, templateToken } = yield* clerkForApp()
      const route = ordersRoute(readSettings(settings), {
        orders: async (userId, year) => [{ id: `${userId} ${year}`, total: 1 }]
      })
      const ask = (query: string, headers: Readonly<Record<string, string>>) =>
        Effect.promise(async () => {
          const response = await route(new Request(`${appUrl}/api/orders${query}`, { headers }))
          return { status: response.status, body: await jsonOf(response) }
        })
      const authorization = `Bearer ${yield* templateToken("member@example.com")}`
      const { body } = yield* ask("?year=2026", { authorization })
      assert.deepEqual(body, { orders: [{ id: `${clerk.users.member.id} 2026`, total: 1 }] })
      assert.strictEqual((yield* ask("", { authorization })).status, 400)
      assert.strictEqual((yield* ask("?year=2026", {})).status, 401)
    })
  )
})
