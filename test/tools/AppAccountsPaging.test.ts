import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { callTool, fakeApp, Recorder, type TestCaller } from "../../src/server/testing/index.ts"
import * as AppAccounts from "../../src/tools/AppAccounts.ts"

const ada = { id: "user_ada", email: "ada@example.com", firstName: "Ada", lastName: "Marlowe", role: "admin" }
const admin: TestCaller = { role: "admin", scopes: ["app:read"], clerkSessionId: "sess_1" }

const callOn = (app: (request: Request) => Response) =>
  callTool(AppAccounts.toolkit, Layer.provide(AppAccounts.layer, fakeApp(app)))

/** An app with so many people, which hands out `most` at once; `asked` is what it was asked for. */
const crowd = (size: number, most = 100) => {
  const asked: Array<readonly [limit: number, offset: number]> = []
  const people = Array.from({ length: size }, (_, index) => ({ ...ada, id: `user_${index}` }))
  const call = callOn(({ url }) => {
    const { pathname, searchParams } = new URL(url)
    assert.strictEqual(pathname, "/api/users")
    const [limit, offset] = [Number(searchParams.get("limit")), Number(searchParams.get("offset"))]
    asked.push([limit, offset])
    return Response.json({ users: people.slice(offset).slice(0, Math.min(limit, most)), total: size })
  })
  return { call, asked }
}

/** Who is listed, and what was reported meanwhile. */
const list = Effect.fnUntraced(function* (call: ReturnType<typeof callOn>, args: object) {
  const recorder = new Recorder()
  const { users, total } = yield* call("listUsers", args, { as: admin, recorder })
  const reports = recorder.progress.map(({ progress, total }) => [progress, total])
  return { ids: users.map(({ id }) => id), total, reports }
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
        const listed = yield* list(app.call, args)
        const { limit = 100, offset = 0 } = args
        const expected = Array.from({ length: size }, (_, index) => `user_${index}`).slice(offset, offset + limit)
        assert.deepStrictEqual(listed.ids, expected)
        assert.strictEqual(listed.total, size)
        assert.deepStrictEqual<unknown>(app.asked, asked)
        assert.deepStrictEqual<unknown>(listed.reports, reports)
      })
    })
  }

  it.effect("lists everybody where the app hands out less at once than it was asked for", () => {
    const app = crowd(70, 30)
    return Effect.gen(function* () {
      assert.lengthOf((yield* list(app.call, {})).ids, 70)
      assert.deepEqual(app.asked, [
        [100, 0],
        [70, 30],
        [40, 60]
      ])
    })
  })

  it.effect("lists nobody more than asked for where the app hands out more, and ends where it hands out none", () => {
    const call = callOn(({ url }) =>
      Response.json({ users: new URL(url).searchParams.get("offset") === "0" ? [ada, ada, ada] : [], total: 9 })
    )
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* list(call, { limit: 2 })).ids, ["user_ada", "user_ada"])
      assert.deepStrictEqual((yield* list(call, { limit: 2, offset: 5 })).ids, [])
    })
  })

  it.effect("refuses limits and offsets out of range, and what it does not know", () => {
    const { call, asked } = crowd(250)
    const wrong = [{ limit: 0 }, { limit: 501 }, { limit: 1.5 }, { offset: -1 }, { limit: "7" }, { role: "x" }]
    return Effect.gen(function* () {
      for (const args of wrong) {
        const error = yield* Effect.flip(call("listUsers", args as object, { as: admin }))
        assert.strictEqual(error._tag, "InvalidArguments", JSON.stringify(args))
      }
      assert.deepStrictEqual(asked, [])
    })
  })

  it.effect("tells in the app's place what went wrong", () => {
    const call = callOn(() => new Response(null, { status: 403 }))
    return Effect.gen(function* () {
      for (const name of ["myProfile", "listUsers"] as const) {
        const error = yield* Effect.flip(call(name, {}, { as: admin }))
        assert.strictEqual(error.message, "The app does not allow you to do this.")
      }
    })
  })
})

describe("the policies of the app's tools", () => {
  const call = callOn(({ url }) => Response.json(url.includes("/api/users") ? { users: [], total: 0 } : ada))
  const decided = (name: "myProfile" | "listUsers", as: TestCaller) =>
    call(name, {}, { as }).pipe(
      Effect.as("allowed"),
      Effect.catchTag("NotPermitted", ({ lacking }) => Effect.succeed(`lacks ${lacking}`))
    )

  for (const [role, scopes, myProfile, listUsers] of [
    ["admin", ["app:read"], "allowed", "allowed"],
    ["admin", [], "lacks scope", "lacks scope"],
    ["premium", ["app:read"], "allowed", "lacks role"],
    [undefined, ["app:read"], "allowed", "lacks role"],
    [undefined, [], "lacks scope", "lacks role"]
  ] as const) {
    it.effect(`hold for ${role ?? "no role"} with ${scopes.join(" ") || "no further scope"}`, () =>
      Effect.gen(function* () {
        const as = { role, scopes, clerkSessionId: "sess_1" }
        assert.strictEqual(yield* decided("myProfile", as), myProfile)
        assert.strictEqual(yield* decided("listUsers", as), listUsers)
      })
    )
  }
})
