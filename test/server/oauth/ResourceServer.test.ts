import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

import { Access } from "../../../src/server/access/Access.ts"
import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { GrantId, ClerkSessionId, type GrantProps, UserId } from "../../../src/server/domain/Principal.ts"
import * as AuthorizationServer from "../../../src/server/oauth/AuthorizationServer.ts"
import { Grants } from "../../../src/server/oauth/Grants.ts"
import { OAuthEndpoints } from "../../../src/server/oauth/OAuthEndpoints.ts"
import { type AuthRequest, OAuthLibrary } from "../../../src/server/oauth/OAuthLibrary.ts"
import { OAuthStorage } from "../../../src/server/oauth/OAuthStorage.ts"
import { ResourceServer } from "../../../src/server/oauth/ResourceServer.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { FakeAccounts } from "../../../src/server/testing/FakeAccounts.ts"
import { FakeClerk } from "../../../src/server/testing/FakeClerk.ts"
import { MemoryKv } from "../../../src/server/testing/MemoryKv.ts"
import { testConfig } from "../../support/TestConfig.ts"
import { authorizationRequest, Visitor } from "../../../src/server/testing/Visitor.ts"

const ada = UserId.make("user_ada")

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

type Services = Layer.Success<typeof AuthorizationServer.layer> | OAuthStorage

/** A server of its own for each test, on the time that the library takes from the system, and what it logs. */
class World {
  readonly clerk = new FakeClerk({ id: "user_ada" })
  readonly kv = new MemoryKv()
  readonly log: Array<string> = []
  readonly secrets: Array<string> = []

  get refusals(): ReadonlyArray<Line["annotations"]> {
    const lines = this.log.map((line) => JSON.parse(line) as Line)
    for (const { level, message } of lines) assert.deepEqual([level, message], ["INFO", "An access token was refused"])
    for (const secret of this.secrets) assert.notInclude(this.log.join("\n"), secret)
    return lines.map(({ annotations }) => annotations)
  }

  run<A, E>(test: (world: World) => Effect.Effect<A, E, Services>) {
    const authority = Layer.mergeAll(
      StateSigner.layer,
      Access.layer,
      ClerkSessionTokens.layer,
      new FakeAccounts().layer
    )
    const outside = Layer.mergeAll(this.clerk.layer, this.kv.layer, testConfig())
    const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void this.log.push(line))])
    const server = AuthorizationServer.layer.pipe(Layer.provide(authority), Layer.provideMerge(outside))
    return Effect.andThen(TestClock.setTime(Date.now()), test(this)).pipe(
      Effect.provide(Layer.provideMerge(server, Layer.fresh(logger)))
    )
  }
}

const inWorld = <A, E>(test: (world: World) => Effect.Effect<A, E, Services>) =>
  Effect.suspend(() => new World().run(test))

const granting = (subject: GrantProps) => (authRequest: AuthRequest) =>
  Effect.flatMap(Grants, (grants) => grants.complete(authRequest, subject))

/** A grant with these props in the store. */
const storing = (props: object) => (request: AuthRequest) =>
  Effect.flatMap(OAuthLibrary, ({ helpers }) =>
    Effect.promise(async () => {
      const { scope } = request
      return (await helpers.completeAuthorization({ request, userId: ada, metadata: {}, scope, props })).redirectTo
    })
  )

/** An access token of Ada's, without consent and sign-in. */
const given = Effect.fnUntraced(function* (
  world: World,
  make: ReturnType<typeof granting | typeof storing> = granting({ userId: ada })
) {
  const endpoints = yield* OAuthEndpoints
  const run = Effect.runPromiseWith(yield* Effect.context())
  const client = new Visitor((request) => run(endpoints.answer(request)))
  const clientId = yield* Effect.promise(() => client.register())
  const parameters = yield* Effect.promise(() => authorizationRequest(clientId))
  const request = new Request(`https://mcp.example.com/authorize?${new URLSearchParams(parameters).toString()}`)
  const redirect = yield* make(yield* endpoints.parse(request))
  const code = new URL(redirect).searchParams.get("code") ?? ""
  const answer = yield* Effect.promise(async () => (await client.redeem(clientId, code)).json())
  const { access_token: token } = answer as { readonly access_token: string }
  const [, grant = "", secret = ""] = token.split(":")
  world.secrets.push(secret)
  return { token, clientId, grantId: GrantId.make(grant), known: { userId: "user_ada", clientId } }
})

const statusOf = Effect.fnUntraced(function* (token: string, resource: "/mcp" | "/sse" = "/mcp") {
  const server = yield* ResourceServer
  const headers = { authorization: `Bearer ${token}` }
  const request = new Request(`https://mcp.example.com${resource}`, { headers })
  return (yield* server.serve(resource, request, Effect.succeed(new Response("served")))).status
})

describe("the log of refused access tokens", () => {
  it.effect("stays empty for one that is good, and for requests without any", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { token } = yield* given(world)
        const before = world.kv.calls.length
        assert.strictEqual(yield* statusOf(token), 200)
        assert.deepEqual(
          world.kv.calls.slice(before).map(({ method }) => method),
          ["get"]
        )
        assert.strictEqual(yield* statusOf(""), 401)
        assert.deepStrictEqual(world.refusals, [])
      })
    )
  )

  it.effect("tells of one that has expired whose it was", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { token, known } = yield* given(world)
        const store = yield* OAuthStorage
        const [key, record = ""] = world.kv.dump().find(([name]) => name.startsWith("token:")) ?? [""]
        const expiresAt = Math.floor(Date.now() / 1_000) - 1
        yield* Effect.promise(() => store.put(key, JSON.stringify({ ...JSON.parse(record), expiresAt })))
        assert.strictEqual(yield* statusOf(token), 401)
        assert.deepStrictEqual(world.refusals, [{ reason: "expired", resource: "/mcp", ...known }])
      })
    )
  )

  it.effect("tells of one for another resource whose it is", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { token, known } = yield* given(world)
        assert.strictEqual(yield* statusOf(token, "/sse"), 401)
        assert.deepStrictEqual(world.refusals, [{ reason: "made for another resource", resource: "/sse", ...known }])
      })
    )
  )

  it.effect("tells that the account is closed", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { token, known } = yield* given(world)
        world.clerk.users.set("user_ada", { banned: true })
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual(yield* statusOf(token), 401)
        assert.deepStrictEqual(world.refusals, [{ reason: "account closed", resource: "/mcp", ...known }])
      })
    )
  )

  it.effect.each([
    ["", granting({ userId: ada, clerkSessionId: ClerkSessionId.make("sess_1") })],
    [", in the form that grants were always stored in", storing({ userId: ada, sessionId: "sess_1" })]
  ] as const)("tells that the session has ended, and then that nobody knows its tokens%s", ([, grant]) =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.clerk.sessions.set("sess_1", "user_ada")
        const { token, known } = yield* given(world, grant)
        world.clerk.sessions.clear()
        yield* TestClock.adjust("61 seconds")
        assert.deepStrictEqual([yield* statusOf(token), yield* statusOf(token)], [401, 401])
        assert.deepStrictEqual(world.refusals, [
          { reason: "session ended", resource: "/mcp", ...known },
          { reason: "unknown, of a connection that was ended, or never was", resource: "/mcp" }
        ])
      })
    )
  )

  it.effect("tells whether the connection of an unknown one stands, and whose it is of nobody", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { token, grantId } = yield* given(world)
        const grants = yield* Grants
        assert.strictEqual(yield* statusOf(`${token}x`), 401)
        yield* grants.end(ada, grantId)
        assert.strictEqual(yield* statusOf(token), 401)
        assert.strictEqual(yield* statusOf("nonsense"), 401)
        assert.deepStrictEqual(world.refusals, [
          { reason: "unknown, of a connection that stands", resource: "/mcp" },
          { reason: "unknown, of a connection that was ended, or never was", resource: "/mcp" },
          { reason: "malformed", resource: "/mcp" }
        ])
      })
    )
  )

  it.effect("has 30 lines a minute for made-up tokens, and says how many it left out", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const { token, known } = yield* given(world)
        for (let number = 0; number < 100; number++) yield* statusOf(`user_x:grant:${number}`)
        assert.lengthOf(world.refusals, 30)
        // A token that was given out is told of all the same.
        yield* statusOf(token, "/sse")
        assert.deepInclude(world.refusals[30], known)
        yield* TestClock.adjust("60 seconds")
        yield* statusOf("user_x:grant:last")
        assert.lengthOf(world.refusals, 32)
        assert.deepInclude(world.refusals[31], { omitted: 70 })
      })
    )
  )
})
