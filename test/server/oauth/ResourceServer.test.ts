import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import type { Caller } from "../../../src/server/access/Caller.ts"
import { ClientId, GrantId, UserId } from "../../../src/server/domain/Principal.ts"
import type { Admission, Bearer } from "../../../src/server/oauth/Admission.ts"
import { GrantCheck } from "../../../src/server/oauth/GrantCheck.ts"
import { OAuthLibrary } from "../../../src/server/oauth/OAuthLibrary.ts"
import { GrantStorage, OAuthStorage } from "../../../src/server/oauth/OAuthStorage.ts"
import type { Resource } from "../../../src/server/oauth/Resource.ts"
import { type Asked, ResourceServer } from "../../../src/server/oauth/ResourceServer.ts"
import { MemoryKv } from "../../../src/server/testing/MemoryKv.ts"
import { testConfig } from "../../support/TestConfig.ts"

/** The resource server by itself: it keeps nothing, so it never looks into a store. */
const layer = ResourceServer.layer.pipe(
  Layer.provide(OAuthLibrary.layer),
  Layer.provide(Layer.effect(GrantStorage, OAuthStorage)),
  Layer.provide([new MemoryKv().layer, GrantCheck.layerElsewhere, testConfig()])
)

const known = { userId: UserId.make("user_ada"), clientId: ClientId.make("client") }

const callerOf = (userId: UserId, scopes: ReadonlyArray<string> = ["mcp:tools"]): Caller => ({
  principal: { userId, grantId: GrantId.make("grant"), clientId: known.clientId, scopes },
  facts: { _tag: "Unknown", retryAfterSeconds: 1, passes: true }
})

const admitted = (caller: Caller): Admission => ({
  _tag: "Admitted",
  caller,
  expiresAt: Math.floor(Date.now() / 1_000) + 60
})

const tellWho = (caller: Caller) => Effect.succeed(Response.json(caller.principal))

interface Sent<A> {
  readonly token?: string
  readonly resource?: Resource
  readonly serve?: (caller: Caller, answer: A | undefined) => Effect.Effect<Response>
}

/** Sends a token whose user's object says this of it. */
const send = <A = never>(
  said: Asked<A> | Response | ((userId: UserId, bearer: Bearer) => Asked<A>),
  { token = "user_ada:grant:secret", resource = "/mcp", serve = tellWho }: Sent<A> = {}
) =>
  Effect.flatMap(ResourceServer, (server) => {
    const headers = { authorization: `Bearer ${token}` }
    return server.serve<A, never>(resource, new Request(`https://mcp.example.com${resource}`, { headers }), {
      ask: (userId, bearer) => Effect.sync(() => (typeof said === "function" ? said(userId, bearer) : said)),
      serve
    })
  })

const unserved = { serve: () => Effect.die("served") }

describe("ResourceServer", () => {
  it.effect("has the token checked for its resource by the object of its user, and serves the caller", () =>
    Effect.gen(function* () {
      const asked: Array<readonly [UserId, Bearer]> = []
      const response = yield* send((...question) => {
        asked.push(question)
        return admitted(callerOf(question[0]))
      })
      assert.deepEqual(yield* Effect.promise(() => response.json()), callerOf(known.userId).principal)
      const resource = "https://mcp.example.com/mcp"
      assert.deepEqual(asked, [[known.userId, { token: "user_ada:grant:secret", resource }]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("hands over what the object has answered already", () =>
    Effect.gen(function* () {
      const asked = { ...admitted(callerOf(known.userId)), answer: "from the object" }
      const response = yield* send(asked, { serve: (_, answer) => Effect.succeed(new Response(answer)) })
      assert.strictEqual(yield* Effect.promise(() => response.text()), "from the object")
    }).pipe(Effect.provide(layer))
  )

  it.effect("challenges whoever has no good token, with the metadata of the resource", () =>
    Effect.gen(function* () {
      for (const resource of ["/mcp", "/sse"] as const) {
        const response = yield* send({ _tag: "NotAdmitted", reason: "expired", known }, { resource, ...unserved })
        assert.strictEqual(response.status, 401)
        const challenge = response.headers.get("www-authenticate")
        assert.include(challenge, `/.well-known/oauth-protected-resource${resource}"`)
        assert.include(challenge, 'error="invalid_token"')
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("asks nobody about a token that names no user", () =>
    Effect.gen(function* () {
      for (const token of ["", "nonsense", "user_ada:grant", "user_ada:grant:secret:x", "../all:grant:secret"]) {
        const response = yield* send(() => assert.fail("asked"), { token, ...unserved })
        assert.strictEqual(response.status, 401, token)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("does not serve a token without the baseline scope, and asks for it", () =>
    Effect.gen(function* () {
      const response = yield* send(admitted(callerOf(known.userId, ["paint:use"])), unserved)
      assert.strictEqual(response.status, 403)
      assert.include(response.headers.get("www-authenticate"), 'error="insufficient_scope"')
      assert.include(response.headers.get("www-authenticate"), 'scope="mcp:tools"')
    }).pipe(Effect.provide(layer))
  )

  it.effect("answers 503 while nobody can tell, and hands on what is to be answered instead", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* send({ _tag: "AdmissionUnknown", reason: "session unknown" }, unserved)).status, 503)
      assert.strictEqual((yield* send(new Response("busy", { status: 429 }), unserved)).status, 429)
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps requests apart that are served at the same time", () =>
    Effect.gen(function* () {
      const slow = (caller: Caller) =>
        Effect.andThen(
          Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5))),
          tellWho(caller)
        )
      const users = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "user_ada" : "user_mina"))
      const answers = yield* Effect.forEach(
        users,
        (user) => send((userId) => admitted(callerOf(userId)), { token: `${user}:grant:secret`, serve: slow }),
        { concurrency: "unbounded" }
      )
      const texts = yield* Effect.promise(() => Promise.all(answers.map(async (answer) => answer.text())))
      texts.forEach((text, index) => assert.include(text, users[index] ?? "nobody"))
    }).pipe(Effect.provide(layer))
  )

  it.effect("stops serving when it is interrupted", () =>
    Effect.gen(function* () {
      const [started, stopped] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const serve = () =>
        Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
        )
      const fiber = yield* Effect.forkChild(send(admitted(callerOf(known.userId)), { serve }))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(stopped)
    }).pipe(Effect.provide(layer))
  )
})

const decodeLine = Schema.decodeSync(
  Schema.fromJsonString(
    Schema.Struct({
      level: Schema.Literals(["INFO", "WARN"]),
      message: Schema.Literals(["An access token was refused", "An access token could not be judged"]),
      annotations: Schema.Record(Schema.String, Schema.Unknown)
    })
  )
)

describe("the log of refused access tokens", () => {
  /** Runs a test on a server of its own, whose log holds no token. */
  const logged = <A, E>(test: (lines: () => ReadonlyArray<object>) => Effect.Effect<A, E, ResourceServer>) =>
    Effect.suspend(() => {
      const log: Array<string> = []
      const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
      const lines = () => {
        assert.notInclude(log.join("\n"), "secret")
        return log.map((line) => decodeLine(line).annotations)
      }
      return Effect.provide(test(lines), Layer.provideMerge(Layer.fresh(layer), Layer.fresh(logger)))
    })

  it.effect("tells why, and whose it was where that is known, and nothing of requests without any", () =>
    logged((lines) =>
      Effect.gen(function* () {
        yield* send(admitted(callerOf(known.userId)))
        yield* send(() => assert.fail("asked"), { token: "" })
        yield* send({ _tag: "AdmissionUnknown", reason: "session unknown" })
        yield* send({ _tag: "NotAdmitted", reason: "expired", known }, { resource: "/sse" })
        yield* send({ _tag: "NotAdmitted", reason: "unknown" })
        yield* send(() => assert.fail("asked"), { token: "nonsense" })
        assert.deepEqual(lines(), [
          { reason: "session unknown", resource: "/mcp" },
          { reason: "expired", resource: "/sse", ...known },
          { reason: "unknown", resource: "/mcp" },
          { reason: "malformed", resource: "/mcp" }
        ])
      })
    )
  )

  it.effect("has 30 lines a minute for made-up tokens, and says how many it left out", () =>
    logged((lines) =>
      Effect.gen(function* () {
        for (let number = 0; number < 100; number++) yield* send({ _tag: "NotAdmitted", reason: "unknown" })
        assert.lengthOf(lines(), 30)
        // A token that was given out is told of all the same.
        yield* send({ _tag: "NotAdmitted", reason: "expired", known })
        assert.deepInclude(lines()[30], known)
        yield* TestClock.adjust("60 seconds")
        yield* send({ _tag: "NotAdmitted", reason: "unknown" })
        assert.lengthOf(lines(), 32)
        assert.deepInclude(lines()[31], { omitted: 70 })
      })
    )
  )

  it.effect("has 300 lines a minute for tokens that were given out or cannot be judged", () =>
    logged((lines) =>
      Effect.gen(function* () {
        for (let number = 0; number < 200; number++) {
          yield* send({ _tag: "NotAdmitted", reason: "expired", known })
          yield* send({ _tag: "AdmissionUnknown", reason: "session unknown" })
        }
        assert.lengthOf(lines(), 300)
        yield* TestClock.adjust("60 seconds")
        yield* send({ _tag: "NotAdmitted", reason: "expired", known })
        assert.deepInclude(lines()[300], { omitted: 100 })
      })
    )
  )
})
