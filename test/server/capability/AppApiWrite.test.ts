import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { AppApi } from "../../../src/server/capability/AppApi.ts"
import { AppApiError } from "../../../src/server/capability/AppApiError.ts"
import { type Answer, confidential, inWorld, unfit, type World } from "../../support/AppWorld.ts"
import { networkDown } from "../../../src/server/testing/FakeHttp.ts"

const NewOrder = Schema.Struct({ item: Schema.String, due: Schema.DateFromString })
const Order = Schema.Struct({ id: Schema.String })
const created = () => Response.json({ id: "o1" }, { status: 201 })

const place = Effect.flatMap(AppApi, (app) =>
  app.post("/api/orders", {
    body: AppApi.json(NewOrder, { item: "tea", due: new Date(0) }),
    query: { dry: "no" },
    answer: Order
  })
)
const remove = Effect.flatMap(AppApi, (app) => app.delete("/api/orders/o1"))

const keysOf = ({ sent }: World) => sent.map(({ headers }) => headers.get("idempotency-key"))

/** Lets so much time pass while a write is under way, and answers how it ended. */
const after = <A, E, R>(seconds: number, write: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(write), { startImmediately: true })
    yield* TestClock.adjust(`${seconds} seconds`)
    return yield* Fiber.join(fiber)
  })

/** Why a write failed, for which the app has these answers first. */
const failing = <R>(world: World, write: Effect.Effect<unknown, unknown, R>, ...answers: ReadonlyArray<Answer>) =>
  Effect.gen(function* () {
    world.answers.push(...answers)
    const exit = yield* after(60, Effect.flip(write))
    assert.isTrue(Exit.isSuccess(exit), "it did not fail")
    const error = (exit as Exit.Success<unknown>).value as { readonly reason: any; readonly message: string }
    for (const secret of [confidential, "token-", "sess_1"]) assert.notInclude(world.log.join("\n"), secret)
    return error
  })

const problem = (status: number, body: unknown) =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json; charset=utf-8" }
  })

describe("a write to the app", () => {
  for (const method of ["post", "put", "patch"] as const) {
    it.effect(`sends ${method} as the user, the body as JSON of its schema, and decodes the answer`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.answers.push(created())
          const app = yield* AppApi
          const body = AppApi.json(NewOrder, { item: "tea & é", due: new Date(0) })
          assert.deepEqual(yield* app[method]("/api/orders", { body, query: { a: "1&2" }, answer: Order }), {
            id: "o1"
          })
          const [sent] = world.sent
          assert.strictEqual(sent?.method, method.toUpperCase())
          assert.strictEqual(sent?.url, "https://app.example.com/api/orders?a=1%262")
          assert.strictEqual(sent?.headers.get("authorization"), "Bearer token-1")
          assert.match(sent?.headers.get("content-type") ?? "", /^application\/json/u)
          assert.deepEqual(yield* Effect.promise(() => sent!.json()), {
            item: "tea & é",
            due: "1970-01-01T00:00:00.000Z"
          })
          assert.deepStrictEqual(world.log, [])
        })
      )
    )
  }

  it.effect("sends no body where there is none, and takes any success for an answer that nobody wants", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const html = new Response("<h1>", { headers: { "content-type": "text/html" } })
        for (const answer of [new Response(null, { status: 204 }), new Response(null, { status: 202 }), html]) {
          world.answers.push(answer)
          assert.isUndefined(yield* remove)
        }
        const [sent] = world.sent
        assert.deepStrictEqual([sent?.method, sent?.headers.get("content-type")], ["DELETE", null])
        assert.strictEqual(yield* Effect.promise(() => sent!.text()), "")
      })
    )
  )

  it.effect("has an idempotency key of its own, a string of structured fields", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        for (let call = 0; call < 3; call++) yield* remove
        const keys = keysOf(world)
        for (const key of keys) assert.match(key ?? "", /^"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"$/u)
        assert.strictEqual(new Set(keys).size, 3)
      })
    )
  )

  it.effect("a read has none", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* (yield* AppApi).get("/api/me", {}, Schema.Struct({ hello: Schema.String }))
        assert.deepStrictEqual(keysOf(world), [null])
      })
    )
  )

  const passing: ReadonlyArray<readonly [what: string, answer: () => Answer]> = [
    ["429", () => new Response(confidential, { status: 429 })],
    ["502", () => new Response(confidential, { status: 502 })],
    ["503", () => new Response(confidential, { status: 503 })],
    ["504", () => new Response(confidential, { status: 504 })],
    ["a network that is down", () => networkDown]
  ]
  for (const [what, answer] of passing) {
    it.effect(`is tried again after ${what}, under the same key, longer apart each time`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.answers.push(answer(), answer(), answer(), created())
          const exit = yield* after(10, place)
          assert.deepEqual(exit, Exit.succeed({ id: "o1" }))
          assert.lengthOf(new Set(keysOf(world)), 1)
          const bodies = yield* Effect.promise(() => Promise.all(world.sent.map((sent) => sent.text())))
          assert.deepStrictEqual(new Set(bodies), new Set([`{"item":"tea","due":"1970-01-01T00:00:00.000Z"}`]))
          const waits = world.sentAt.slice(1).map((time, index) => time - world.sentAt[index]!)
          for (const [index, wait] of waits.entries()) {
            assert.isAtLeast(wait, 0.8 * 300 * 2 ** index)
            assert.isAtMost(wait, 1.2 * 300 * 2 ** index)
          }
        })
      )
    )

    it.effect(`is given up after ${what} four times`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const { reason, message } = yield* failing(world, place, answer(), answer(), answer(), answer())
          assert.strictEqual(reason._tag, "AppUnavailable")
          assert.lengthOf(world.sent, 4)
          // An app that says 429 has not begun.
          assert.strictEqual(message.includes("look before you try again"), what !== "429")
          assert.lengthOf(world.log, 1)
        })
      )
    )
  }

  for (const [name, header] of [
    ["seconds", "4"],
    ["a date", new Date(4_000).toUTCString()]
  ] as const) {
    it.effect(`waits as long as the app says in ${name}`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.answers.push(new Response(null, { status: 429, headers: { "retry-after": header } }), created())
          assert.isTrue(Exit.isSuccess(yield* after(10, place)))
          assert.deepStrictEqual(world.sentAt, [0, 4_000])
        })
      )
    )
  }

  it.effect("is not put off for longer than 5 s: the tool is told how long", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const answer = new Response(null, { status: 503, headers: { "retry-after": "6" } })
        const { reason } = yield* failing(world, place, answer)
        assert.deepInclude(reason, { _tag: "AppUnavailable", status: 503, retryAfterSeconds: 6 })
        assert.lengthOf(world.sent, 1)
      })
    )
  )

  it.effect("is not tried again after 500, nor where the answer takes more than 10 s; it may have happened", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const failed = yield* failing(world, place, new Response(confidential, { status: 500 }))
        assert.deepInclude(failed.reason, { problem: "an error", mayHaveHappened: true })
        world.latency = Effect.never
        const slow = yield* failing(world, place)
        assert.deepInclude(slow.reason, { problem: "no answer in time", mayHaveHappened: true })
        assert.include(slow.message, "look before you try again")
        assert.lengthOf(world.sent, 2)
      })
    )
  )

  it.effect("may have happened where only the last try was refused for the number of requests", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const busy = new Response(null, { status: 429, headers: { "retry-after": "60" } })
        const { reason } = yield* failing(world, place, networkDown, busy)
        assert.deepInclude(reason, { problem: "too many requests", mayHaveHappened: true })
      })
    )
  )

  it.effect("may have happened where an answer was lost, and the app refuses the user after that", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const refused = (status: number) => new Response(null, { status })
        for (const later of [[refused(403)], [refused(401), refused(401)]]) {
          const { reason } = yield* failing(world, place, networkDown, ...later)
          assert.deepInclude(reason, { _tag: "AppUnavailable", mayHaveHappened: true })
        }
        const { reason } = yield* failing(world, place, refused(403))
        assert.strictEqual(reason._tag, "AppForbidden")
      })
    )
  )

  it.effect("waits for an app that is still at an earlier try", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.answers.push(networkDown, new Response(null, { status: 409 }), created())
        assert.deepEqual(yield* after(10, place), Exit.succeed({ id: "o1" }))
        const conflict = () => new Response(null, { status: 409 })
        const { reason } = yield* failing(world, place, networkDown, conflict(), conflict(), conflict())
        assert.deepInclude(reason, { problem: "still at work on it", mayHaveHappened: true })
      })
    )
  )

  it.effect("gets another token where the app refuses the first one, and keeps its key", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.answers.push(new Response(null, { status: 401 }), created())
        assert.deepEqual(yield* place, { id: "o1" })
        assert.deepStrictEqual(
          world.sent.map(({ headers }) => headers.get("authorization")),
          ["Bearer token-1", "Bearer token-2"]
        )
        assert.lengthOf(new Set(keysOf(world)), 1)
        const refused = () => new Response(null, { status: 401 })
        assert.strictEqual((yield* failing(world, place, refused(), refused())).message, unfit("status 401"))
      })
    )
  )

  for (const status of [400, 404, 409, 410, 412, 422]) {
    it.effect(`tells the tool of a refusal with ${status}, and nobody else`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const { reason, message } = yield* failing(world, place, Response.json({ error: confidential }, { status }))
          assert.deepInclude(reason, { _tag: "AppRefused", status })
          assert.isUndefined(reason.problem)
          assert.strictEqual(message, `The app did not do this (status ${status}).`)
          assert.notInclude(JSON.stringify(reason), confidential)
          assert.lengthOf(world.sent, 1)
          assert.deepStrictEqual(world.log, [])
        })
      )
    )
  }

  it.effect("hands the tool what the app says of the problem (RFC 9457); not the client, and not the log", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { reason, message } = yield* failing(
          world,
          place,
          problem(409, {
            type: "https://shop.example/sold-out",
            title: "Sold out",
            status: 409,
            detail: confidential,
            left: 0
          })
        )
        assert.deepEqual(reason.problem, {
          type: "https://shop.example/sold-out",
          title: "Sold out",
          detail: confidential,
          extensions: { left: 0 }
        })
        assert.notInclude(message, confidential)
        // As a tool that declares this failure hands it to the client.
        const encoded = yield* Schema.encodeUnknownEffect(AppApiError)(new AppApiError({ reason }))
        assert.deepEqual<unknown>(encoded, {
          _tag: "AppApiError",
          reason: { _tag: "AppRefused", status: 409 }
        })
      })
    )
  )

  for (const [body, expected] of [
    [{}, { type: "about:blank", extensions: {} }],
    [
      { type: 7, title: ["x"], detail: "d" },
      { type: "about:blank", detail: "d", extensions: {} }
    ],
    ["[]", undefined],
    [`{"title":`, undefined]
  ] as const) {
    it.effect(`leaves out of the problem what is not as it should be: ${JSON.stringify(body)}`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          assert.deepEqual((yield* failing(world, place, problem(422, body))).reason.problem, expected)
        })
      )
    )
  }

  it.effect("a read is refused so as well, by problem details alone", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const get = Effect.flatMap(AppApi, (app) => app.get("/api/orders/7", {}, Order))
        const { reason } = yield* failing(world, get, problem(404, { title: "No such order" }))
        assert.deepInclude(reason, { _tag: "AppRefused", status: 404 })
        assert.strictEqual(reason.problem.title, "No such order")
        assert.strictEqual(
          (yield* failing(world, get, new Response(null, { status: 404 }))).message,
          unfit("status 404")
        )
      })
    )
  )

  const unexpected: ReadonlyArray<readonly [answer: () => Answer, message: string]> = [
    [() => new Response(confidential, { status: 403 }), "The app does not allow you to do this."],
    [() => Response.redirect(`https://app.example.com/${confidential}`, 307), unfit("status 307")],
    [() => new Response(null, { status: 204 }), unfit("no JSON")],
    [() => Response.json({ id: 7, [confidential]: confidential }), unfit("other JSON than agreed")]
  ]
  for (const [answer, message] of unexpected) {
    it.effect(`says ${message}`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* failing(world, place, answer())).message, message)
          assert.lengthOf(world.sent, 1)
        })
      )
    )
  }

  it.effect("takes neither the token out of the app nor a body that its schema refuses", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const app = yield* AppApi
        const short = AppApi.json(Schema.String.check(Schema.isMaxLength(3)), confidential)
        for (const write of [app.post("//elsewhere.example/api"), app.put("/api/note", { body: short })]) {
          const exit = yield* Effect.exit(write)
          assert.isTrue(Exit.hasDies(exit))
          assert.notInclude(JSON.stringify(exit), confidential)
        }
        assert.lengthOf(world.sent, 0)
      })
    )
  )
})
