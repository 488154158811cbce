import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"

import { AppApi } from "../../../src/server/capability/AppApi.ts"
import {
  type Answer,
  appUrl,
  call,
  inWorld,
  confidential,
  told,
  unfit,
  unreachable,
  withSession,
  World
} from "../../support/AppWorld.ts"
import { networkDown } from "../../../src/server/testing/FakeHttp.ts"

/** The operator is told what the person is told in brackets, and nothing of what is the person's own. */
const assertLogged = (world: World, message: string) => {
  const [, problem] = /\((.+)\)/u.exec(message) ?? []
  assert.lengthOf(world.log, problem === undefined ? 0 : 1)
  if (problem !== undefined) assert.include(world.log[0], `"problem":"${problem}"`)
}

describe("AppApi", () => {
  it.effect("asks the app as the user, with the query encoded, and decodes its answer", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        assert.deepEqual(yield* call("/api/users", { name: "Ada & Co/é", offset: "0" }), { hello: "Ada" })
        const [sent] = world.sent
        assert.strictEqual(sent?.method, "GET")
        assert.strictEqual(sent?.url, "https://app.example.com/api/users?name=Ada+%26+Co%2F%C3%A9&offset=0")
        assert.strictEqual(sent?.headers.get("authorization"), "Bearer token-1")
        assert.strictEqual(sent?.headers.get("accept"), "application/json")
        assert.isNull(sent?.headers.get("cookie"))
        assert.deepStrictEqual(world.log, [])
      })
    )
  )

  for (const type of ["application/json", "Application/JSON; charset=utf-8", "application/vnd.app+json"]) {
    it.effect(`takes ${type} for JSON`, () =>
      inWorld((world) => {
        world.answers.push(new Response(`{"hello":"Ada","more":1}`, { headers: { "content-type": type } }))
        return Effect.map(call(), (answer) => assert.deepEqual(answer, { hello: "Ada" }))
      })
    )
  }

  const html = { "content-type": "text/html" }
  const finalAnswers: ReadonlyArray<readonly [what: string, answer: Answer, message: string]> = [
    ["403", Response.json({ error: confidential }, { status: 403 }), "The app does not allow you to do this."],
    ["404", Response.json({ error: confidential }, { status: 404 }), unfit("status 404")],
    ["204", new Response(null, { status: 204 }), unfit("status 204")],
    ["a redirect", Response.redirect(`https://app.example.com/${confidential}`, 302), unfit("status 302")],
    ["a page", new Response(`<html>${confidential}`, { headers: html }), unfit("no JSON")],
    ["no type", new Response(new TextEncoder().encode(`{"hello":"${confidential}"}`)), unfit("no JSON")],
    [
      "more than 4 MiB",
      Response.json({ hello: confidential, more: "m".repeat(4 * 1024 * 1024) }),
      unfit("an answer of more than 4 MiB")
    ],
    ["other JSON", Response.json({ hello: 7, [confidential]: confidential }), unfit("other JSON than agreed")],
    ["half of some JSON", new Response(`{"hello":"${confidential}`, Response.json({})), unfit("other JSON than agreed")]
  ]
  for (const [what, answer, message] of finalAnswers) {
    it.effect(`tells about ${what} what it means, repeats nothing of it, and does not ask again`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.answers.push(answer)
          assert.strictEqual(yield* told(world, call()), message)
          assert.lengthOf(world.sent, 1)
          assert.deepStrictEqual(world.ended, [])
          assertLogged(world, message)
        })
      )
    )
  }

  const passing: ReadonlyArray<readonly [what: string, answer: () => Answer, problem: string]> = [
    ["500", () => new Response(confidential, { status: 500 }), "an error"],
    ["503", () => Response.json({ hello: confidential }, { status: 503 }), "an error"],
    ["429", () => new Response(confidential, { status: 429 }), "too many requests"],
    ["a network that is down", () => networkDown, "no answer"]
  ]
  for (const [what, answer, problem] of passing) {
    it.effect(`asks once more after ${what}, 300 ms later`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.answers.push(answer())
          const fiber = yield* Effect.forkChild(call(), { startImmediately: true })
          yield* TestClock.adjust("300 millis")
          assert.deepEqual(yield* Fiber.join(fiber), { hello: "Ada" })
          assert.deepStrictEqual(world.sentAt, [0, 300])
          assert.strictEqual(world.minted, 1)
        })
      )
    )

    it.effect(`gives up after ${what} twice`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.answers.push(answer(), answer(), answer())
          assert.strictEqual(yield* told(world, call()), unreachable(problem))
          assert.lengthOf(world.sent, 2)
          assertLogged(world, unreachable(problem))
        })
      )
    )
  }

  it.effect("waits 10 s for an answer, then aborts the request and does not ask again", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        let aborted = 0
        world.latency = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (aborted += 1)))
        const fiber = yield* Effect.forkChild(Effect.flip(call()), { startImmediately: true })
        yield* TestClock.adjust("9999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* Fiber.join(fiber)).message, unreachable("no answer in time"))
        assert.strictEqual(aborted, 1)
        assert.lengthOf(world.sent, 1)
      })
    )
  )

  for (const path of [
    "//elsewhere.example/api",
    "/\\elsewhere.example/api",
    "/\t/elsewhere.example/api",
    "//app.example.com:444/api",
    "//app.example.com.elsewhere.example/api",
    // What a path leads to that was put together of parts which nobody encoded.
    "/api/projects/../../admin",
    "/api/projects/%2E%2e/admin",
    "/api/projects/..\\admin",
    "/api/projects/.\t./admin",
    "/api/projects/\n../admin",
    "/api/projects/.",
    "/api/projects?admin=1",
    "/api/projects#"
  ] as const) {
    it.effect(`does not take the token elsewhere: ${JSON.stringify(path)}`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const exit = yield* Effect.exit(call(path))
          assert.isTrue(Exit.hasDies(exit))
          assert.deepStrictEqual([world.minted, world.sent.length], [0, 0])
        })
      )
    )
  }
})

describe("AppApi.layer", () => {
  const { tokens, connections } = new World()
  const layer = Layer.provide(AppApi.layer(appUrl), [tokens, connections])

  /** What is told where `fetch` gives this answer, and how `fetch` was called. */
  const fetching = Effect.fnUntraced(function* (answer: Response, as: Layer.Layer<AppApi> = layer) {
    const calls: Array<RequestInit | undefined> = []
    const fetch: typeof globalThis.fetch = async (_, init) => {
      calls.push(init)
      return answer
    }
    const question = Effect.flip(call()).pipe(
      Effect.provide(Layer.merge(as, withSession)),
      Effect.provideService(FetchHttpClient.Fetch, fetch)
    )
    const fiber = yield* Effect.forkChild(question, { startImmediately: true })
    yield* TestClock.adjust("10 seconds")
    return { message: (yield* Fiber.join(fiber)).message, calls }
  })
  const redirect = () => Response.redirect("https://app.example.com/sign-in", 302)
  const endless = (status: number) =>
    new Response(new ReadableStream({}), { status, headers: { "content-type": "application/json" } })

  it.effect("does not follow a redirect to a sign-in page", () =>
    Effect.gen(function* () {
      const { message, calls } = yield* fetching(redirect())
      assert.include(message, "status 302")
      assert.deepStrictEqual(
        calls.map((init) => init?.redirect),
        ["manual"]
      )
    })
  )

  it.effect("does not follow it either beside others that use the same client", () =>
    Effect.gen(function* () {
      const neighbour = Layer.effectDiscard(HttpClient.HttpClient).pipe(Layer.provide(FetchHttpClient.layer))
      const { calls } = yield* fetching(redirect(), Layer.provideMerge(layer, neighbour))
      assert.strictEqual(calls[0]?.redirect, "manual")
    })
  )

  for (const [what, answer, message] of [
    ["that has begun and does not end", endless(200), "no answer in time"],
    ["that it does not read", endless(403), "does not allow"]
  ] as const) {
    it.effect(`ends the request of an answer ${what}`, () =>
      Effect.gen(function* () {
        const told = yield* fetching(answer)
        assert.include(told.message, message)
        assert.isTrue(told.calls[0]?.signal?.aborted)
      })
    )
  }
})
