import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as Policy from "../../src/server/access/Policy.ts"
import { Role } from "../../src/server/domain/Role.ts"
import { ToolCalls } from "../../src/server/mcp/ToolCalls.ts"
import * as AppAccounts from "../../src/tools/AppAccounts.ts"
import { AppApi } from "../../src/server/capability/AppApi.ts"
import { AppApiError, AppForbidden } from "../../src/server/capability/AppApiError.ts"
import { Progress, type Report } from "../../src/server/capability/Progress.ts"
import { request } from "../support/People.ts"

const ada = { id: "user_ada", email: "ada@example.com", firstName: "Ada", lastName: "Marlowe", role: "admin" }

/** The tools on an app that is one function. */
const tools = (app: (path: string, query: Readonly<Record<string, string>>) => unknown) => {
  const api = Layer.mock(AppApi, {
    get: (path, query, answer) => Effect.orDie(Schema.decodeUnknownEffect(answer)(app(path, query)))
  })
  return Layer.provide(ToolCalls.layer(AppAccounts.toolkit), Layer.provide(AppAccounts.layer, api))
}

const call = (name: string, args: object = {}) =>
  Effect.flatMap(ToolCalls, (calls) => calls.call(name, args)).pipe(Effect.provide(request()))

/** An app with so many people, which hands out `most` at once; `asked` is what it was asked for. */
const crowd = (size: number, most = 100) => {
  const asked: Array<readonly [limit: number, offset: number]> = []
  const people = Array.from({ length: size }, (_, index) => ({ ...ada, id: `user_${index}` }))
  const layer = tools((path, { limit = "", offset = "" }) => {
    assert.strictEqual(path, "/api/users")
    asked.push([Number(limit), Number(offset)])
    return { users: people.slice(Number(offset)).slice(0, Math.min(Number(limit), most)), total: size }
  })
  return { layer, asked }
}

const Answer = Schema.Struct({ users: Schema.Array(Schema.Struct({ id: Schema.String })), total: Schema.Int })

/** Who is listed, and what was reported meanwhile. */
const list = Effect.fnUntraced(function* (args: object) {
  const reports: Array<Report> = []
  const collect = (report: Report) => Effect.sync(() => void reports.push(report))
  const { structuredContent } = yield* Effect.provideService(call("listUsers", args), Progress, collect)
  const { users, total } = yield* Schema.decodeUnknownEffect(Answer)(structuredContent)
  return { ids: users.map(({ id }) => id), total, reports: reports.map(({ progress, total }) => [progress, total]) }
})

describe("listUsers", () => {
  const cases: ReadonlyArray<
    readonly [
      what: string,
      size: number,
      args: { readonly limit?: number; readonly offset?: number },
      asked: ReadonlyArray<readonly [limit: number, offset: number]>,
      reports: ReadonlyArray<readonly [progress: number, total: number]>
    ]
  > = [
    ["lists 100 unless told otherwise", 250, {}, [[100, 0]], []],
    ["asks for what is wanted, not more", 250, { limit: 7, offset: 3 }, [[7, 3]], []],
    [
      "turns pages until the limit",
      250,
      { limit: 150 },
      [
        [100, 0],
        [50, 100]
      ],
      [[100, 150]]
    ],
    [
      "turns pages until the end",
      250,
      { limit: 500 },
      [
        [100, 0],
        [100, 100],
        [100, 200]
      ],
      [
        [100, 250],
        [200, 250]
      ]
    ],
    [
      "knows the end of a last page that is full",
      200,
      { limit: 500 },
      [
        [100, 0],
        [100, 100]
      ],
      [[100, 200]]
    ],
    [
      "counts from the offset",
      250,
      { limit: 500, offset: 20 },
      [
        [100, 20],
        [100, 120],
        [100, 220]
      ],
      [
        [100, 230],
        [200, 230]
      ]
    ],
    ["lists nobody after the end", 250, { offset: 250 }, [[100, 250]], []],
    ["lists nobody where there is nobody", 0, {}, [[100, 0]], []]
  ]
  for (const [what, size, args, asked, reports] of cases) {
    it.effect(what, () => {
      const app = crowd(size)
      return Effect.gen(function* () {
        const listed = yield* list(args)
        const { limit = 100, offset = 0 } = args
        const expected = Array.from({ length: size }, (_, index) => `user_${index}`).slice(offset, offset + limit)
        assert.deepStrictEqual(listed.ids, expected)
        assert.strictEqual(listed.total, size)
        assert.deepStrictEqual<unknown>(app.asked, asked)
        assert.deepStrictEqual<unknown>(listed.reports, reports)
      }).pipe(Effect.provide(app.layer))
    })
  }

  it.effect("lists everybody where the app hands out less at once than it was asked for", () => {
    const app = crowd(70, 30)
    return Effect.gen(function* () {
      assert.lengthOf((yield* list({})).ids, 70)
      assert.deepEqual(app.asked, [
        [100, 0],
        [70, 30],
        [40, 60]
      ])
    }).pipe(Effect.provide(app.layer))
  })

  it.effect("lists nobody more than asked for where the app hands out more, and ends where it hands out none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* list({ limit: 2 })).ids, ["user_ada", "user_ada"])
      assert.deepStrictEqual((yield* list({ limit: 2, offset: 5 })).ids, [])
    }).pipe(Effect.provide(tools((_, { offset }) => ({ users: offset === "0" ? [ada, ada, ada] : [], total: 9 }))))
  )

  it.effect("refuses limits and offsets out of range, and what it does not know", () => {
    const app = crowd(250)
    return Effect.gen(function* () {
      for (const args of [
        { limit: 0 },
        { limit: 501 },
        { limit: 1.5 },
        { offset: -1 },
        { limit: "7" },
        { role: "x" }
      ]) {
        const { isError, content } = yield* call("listUsers", args)
        assert.isTrue(isError)
        assert.include(JSON.stringify(content), "Wrong arguments for listUsers")
      }
      assert.deepStrictEqual(app.asked, [])
    }).pipe(Effect.provide(app.layer))
  })

  it.effect("tells in the app's place what went wrong", () => {
    const refused = Effect.fail(new AppApiError({ reason: new AppForbidden() }))
    const api = Layer.mock(AppApi, { get: () => refused })
    return Effect.gen(function* () {
      for (const name of ["myProfile", "listUsers"]) {
        const { content, isError } = yield* call(name)
        assert.isTrue(isError)
        assert.match(JSON.stringify(content), /"The app does not allow you to do this\. Reference [2-9A-Z]{8}"/u)
      }
    }).pipe(Effect.provide(Layer.provide(ToolCalls.layer(AppAccounts.toolkit), Layer.provide(AppAccounts.layer, api))))
  })
})

describe("the policies of the app's tools", () => {
  const decisions = (role: string | undefined, ...scopes: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { entries } = yield* ToolCalls
      const facts = {
        role: role === undefined ? undefined : Role.make(role),
        permissions: new Set(""),
        scopes: new Set(scopes)
      }
      return entries.map(({ listed, policy }) => `${listed.name} ${Policy.evaluate(policy, facts)._tag}`)
    }).pipe(Effect.provide(tools(() => undefined)))

  for (const [role, scopes, myProfile, listUsers] of [
    ["admin", ["mcp:tools", "app:read"], "Allowed", "Allowed"],
    ["admin", ["mcp:tools"], "MissingScopes", "MissingScopes"],
    ["premium", ["mcp:tools", "app:read"], "Allowed", "Forbidden"],
    [undefined, ["mcp:tools", "app:read"], "Allowed", "Forbidden"],
    [undefined, ["mcp:tools"], "MissingScopes", "Forbidden"]
  ] as const) {
    it.effect(`hold for ${role ?? "no role"} with ${scopes.join(" ")}`, () =>
      Effect.map(decisions(role, ...scopes), (decided) =>
        assert.deepStrictEqual(decided, [`myProfile ${myProfile}`, `listUsers ${listUsers}`])
      )
    )
  }
})
