import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as jose from "jose"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import type { StandInOptions } from "../../dev/clerk/StandInOptions.ts"

const start = (options: Partial<StandInOptions> = {}) =>
  Effect.map(Layer.build(ClerkStandIn.layer({ port: 0, ...options })), (context) => Context.get(context, ClerkStandIn))

const answered = (address: string) =>
  Effect.promise(() =>
    fetch(address).then(
      (response) => response.status,
      () => "nothing listens" as const
    )
  )

describe("starting the Clerk stand-in", () => {
  it.effect("gives users the same ids at every start, and the settings that a Worker needs", () =>
    Effect.gen(function* () {
      const { settings, url, users } = yield* start()
      assert.strictEqual(users.admin.id, "user_REMtIXhzzll2LNM6zLSxKssC0eO")
      assert.strictEqual(settings.CLERK_FRONTEND_API, url)
      assert.strictEqual(settings.CLERK_JWT_TEMPLATE, "mcp-server")
      assert.match(settings.CLERK_PUBLISHABLE_KEY, /^pk_test_/)
      assert.match(settings.CLERK_SECRET_KEY, /^sk_test_.*NotAReal/)
    })
  )

  it.effect("two stand-ins in one runtime share nothing", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const memoMap = yield* Layer.makeMemoMap
      const together = (options: Partial<StandInOptions>) =>
        Effect.map(Layer.buildWithMemoMap(ClerkStandIn.layer({ port: 0, ...options }), memoMap, scope), (context) =>
          Context.get(context, ClerkStandIn)
        )
      const [one, other] = [yield* together({}), yield* together({ clientId: "another-client" })]
      assert.notStrictEqual(one.url, other.url)
      assert.strictEqual(other.settings.CLERK_CLIENT_ID, "another-client")
      yield* one.admin.setRole("member@example.com", "admin")
      const member = (yield* other.admin.users).find((user) => user.id === one.users.member.id)
      assert.deepEqual(member?.publicMetadata, {})
    })
  )

  it.effect("signs with the key that it is given", () =>
    Effect.gen(function* () {
      const pair = yield* Effect.promise(() => jose.generateKeyPair("RS256", { extractable: true }))
      const jwk = yield* Effect.promise(() => jose.exportJWK(pair.privateKey))
      const { url } = yield* start({ signingKey: { ...jwk, kid: "given-key" } })
      const published: unknown = yield* Effect.promise(async () => (await fetch(`${url}/.well-known/jwks.json`)).json())
      assert.deepEqual(published, {
        keys: [{ use: "sig", kty: "RSA", kid: "given-key", alg: "RS256", n: jwk.n, e: jwk.e }]
      })
    })
  )

  it.effect("closes at once with its scope, even under a held request", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { admin, url } = yield* Scope.provide(start(), scope)
      const address = `${url}/.well-known/openid-configuration`
      assert.strictEqual(yield* answered(address), 200)
      yield* admin.addFault({ path: "/.well-known", effect: { kind: "delay", millis: 60_000 } })
      const held = yield* Effect.forkChild(answered(address))
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
      const started = performance.now()
      yield* Scope.close(scope, Exit.void)
      assert.isBelow(performance.now() - started, 2000)
      assert.strictEqual(yield* Fiber.join(held), "nothing listens")
      assert.strictEqual(yield* answered(address), "nothing listens")
    })
  )
})
