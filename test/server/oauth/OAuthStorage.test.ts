import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

import { UserId } from "../../../src/server/domain/Principal.ts"
import * as AuthorizationServer from "../../../src/server/oauth/AuthorizationServer.ts"
import { GrantCheck } from "../../../src/server/oauth/GrantCheck.ts"
import { Grants } from "../../../src/server/oauth/Grants.ts"
import { OAuthEndpoints } from "../../../src/server/oauth/OAuthEndpoints.ts"
import { OAuthLibrary } from "../../../src/server/oauth/OAuthLibrary.ts"
import { GrantStorage, OAuthStorage } from "../../../src/server/oauth/OAuthStorage.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { UserAuthorities } from "../../../src/server/oauth/UserAuthorities.ts"
import { MemoryKv } from "../../../src/server/testing/MemoryKv.ts"
import { authorizationRequest, redirectUri, type Tokens, Visitor } from "../../../src/server/testing/Visitor.ts"
import { testApp } from "../../support/TestApp.ts"
import { testConfig } from "../../support/TestConfig.ts"

const kinds = (keys: ReadonlyArray<string>) => [...new Set(keys.map((key) => key.split(":")[0]))]

/** What the library has stored, without what the server keeps beside it. */
const ofLibrary = (keys: ReadonlyArray<string>) => kinds(keys).filter((kind) => kind !== "answer")

const resource = "https://mcp.example.com/mcp"

/**
 * The OAuth library on two stores that record what it asks. `MemoryKv` refuses a method or an option that is not on its
 * list, so a release of the library that asks for more fails here, before it fails in an object that plays the store.
 */
const onTwoStores = Effect.suspend(() => {
  const [kv, grants] = [new MemoryKv(), new MemoryKv()]
  const layer = AuthorizationServer.layer.pipe(
    Layer.provide([
      kv.layer,
      Layer.provide(Layer.effect(GrantStorage, OAuthStorage), grants.layer),
      Layer.succeed(GrantCheck, { check: () => Effect.void }),
      Layer.succeed(UserAuthorities, { of: () => assert.fail("asked") })
    ]),
    Layer.provide(StateSigner.layer),
    Layer.provide(testConfig())
  )
  /** What was asked of each store since the last look. */
  const asked = () =>
    [kv, grants].map(({ calls }) =>
      calls.splice(0).map(({ method, key, options }) => [method, key.split(":")[0], ...options].join(" "))
    )
  return Effect.provide(
    Effect.gen(function* () {
      const endpoints = yield* OAuthEndpoints
      const { provider, env } = yield* OAuthLibrary
      const run = Effect.runPromiseWith(yield* Effect.context())
      const client = new Visitor((request) => run(endpoints.answer(request)))
      const clientId = yield* Effect.promise(() => client.register())
      const registered = asked()
      const parameters = new URLSearchParams(yield* Effect.promise(() => authorizationRequest(clientId)))
      const request = new Request(`https://mcp.example.com/authorize?${parameters.toString()}`)
      const authRequest = yield* endpoints.parse(request)
      const parsed = asked()
      const redirect = yield* (yield* Grants).complete(authRequest, { userId: UserId.make("user_ada") })
      const completed = asked()
      const code = new URL(redirect).searchParams.get("code") ?? ""
      const redeem = Effect.promise(async () => (await client.redeem(clientId, code)).json<Tokens>())
      const token = (form: Readonly<Record<string, string>>) =>
        Effect.promise(async () => {
          const answer = await (await client.token({ client_id: clientId, ...form })).text()
          return JSON.parse(answer || "{}") as Tokens
        })
      const validate = (token: string) => Effect.promise(() => provider.validateToken(resource, token, env))
      return { kv, grants, asked, registered, parsed, completed, redeem, token, validate }
    }),
    layer
  )
})

describe("the OAuth library, on a store of grants beside the other", () => {
  it.effect("reads and writes what it did when this was written", () =>
    Effect.gen(function* () {
      const { asked, completed, grants, parsed, redeem, registered, token, validate } = yield* onTwoStores
      const client = "get client type"
      assert.deepEqual(registered, [["put client expirationTtl"], []])
      assert.deepEqual(parsed, [[client], []])
      assert.deepEqual(completed, [[client], ["put grant expirationTtl metadata"]])

      const issued = [["get grant type", "put grant expiration metadata", "put token expirationTtl"]]
      const tokens = yield* redeem
      assert.deepEqual(asked(), [[client], ...issued])
      const refresh = (refresh_token: string) => token({ grant_type: "refresh_token", refresh_token })
      const refreshed = yield* refresh(tokens.refresh_token)
      assert.deepEqual(asked(), [[client], ...issued])
      // The token before is good until the next one is used: what is repeated, and what is stolen, the server decides.
      yield* refresh(tokens.refresh_token)
      assert.deepEqual(asked(), [[client], ...issued])

      assert.strictEqual((yield* validate(tokens.access_token))?.userId, "user_ada")
      assert.isNull(yield* validate(`${tokens.access_token}x`))
      assert.deepEqual(asked(), [[], ["get token type", "get token type"]])

      for (const refused of [refreshed.access_token, "user_ada:nothing:x"]) yield* refresh(refused)
      assert.deepEqual(asked(), [
        [client, client],
        ["get grant type", "get grant type"]
      ])

      const deletions = grants.keys.map((key) => `delete ${key.split(":")[0]}`).toReversed()
      assert.deepEqual(deletions, ["delete token", "delete token", "delete token", "delete grant"])
      yield* redeem
      assert.deepEqual(asked(), [[client], ["get grant type", "list token prefix", ...deletions]])
      assert.isEmpty(grants.keys)
    })
  )

  it.effect("revokes by the refresh token, and forgets one access token by itself", () =>
    Effect.gen(function* () {
      const { asked, grants, redeem, token } = yield* onTwoStores
      const { access_token, refresh_token } = yield* redeem
      asked()
      yield* token({ token: access_token })
      assert.deepEqual(asked()[1], ["get token type", "delete token"])
      yield* token({ token: refresh_token })
      assert.deepEqual(asked()[1], ["get token type", "get grant type", "list token prefix", "delete grant"])
      assert.isEmpty(grants.keys)
    })
  )

  it.effect("writes users and grants into keys and tokens in the form that is read elsewhere", () =>
    Effect.gen(function* () {
      const { grants, redeem } = yield* onTwoStores
      const { access_token, refresh_token } = yield* redeem
      const [, grantId = "", secret = ""] = access_token.split(":")
      const hash = yield* Effect.promise(async () => {
        const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(access_token))
        return Buffer.from(digest).toString("hex")
      })
      assert.isAbove(secret.length, 20)
      assert.match(grantId, /^[A-Za-z0-9_-]+$/u)
      assert.isTrue(refresh_token.startsWith(`user_ada:${grantId}:`))
      assert.deepEqual(grants.keys, [`grant:user_ada:${grantId}`, `token:user_ada:${grantId}:${hash}`])
      const stored = JSON.parse(grants.dump()[0]?.[1] ?? "") as object
      assert.containsAllKeys(stored, [
        "id",
        "clientId",
        "scope",
        "createdAt",
        "metadata",
        "refreshTokenId",
        "redirectUri"
      ])
    })
  )
})

describe("a deletion", () => {
  /** A namespace that holds one key, and refuses this many deletions of it. */
  const namespace = (refusals: number) => {
    const log: Array<string> = []
    const tries: Array<number> = []
    const kv = {
      get: async () => "value",
      put: async () => {},
      list: async () => ({ keys: [], list_complete: true }),
      delete: async () => {
        if (tries.push(0) <= refusals) throw new Error("429 Too Many Requests: internal detail")
      }
    }
    const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
    const layer = OAuthStorage.layer.pipe(
      Layer.provide(testConfig({ OAUTH_KV: kv })),
      Layer.provideMerge(Layer.fresh(logger))
    )
    return { layer, log, tries }
  }
  const failureOf = (deleting: Promise<void>) => Effect.promise(() => deleting.then(() => undefined, String))
  const later = Effect.andThen(TestClock.adjust("1100 millis"), Effect.yieldNow)

  it.effect("that KV refuses is tried once more after 1.1 s, and takes place for whoever waits", () => {
    const { layer, log, tries } = namespace(1)
    return Effect.gen(function* () {
      const kv = yield* OAuthStorage
      const deleting = failureOf(kv.delete("key"))
      const fiber = yield* Effect.forkChild(deleting)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(tries, 1)
      yield* later
      assert.isUndefined(yield* Fiber.join(fiber))
      assert.lengthOf(tries, 2)
      assert.deepEqual(log, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("that fails twice fails for whoever waits, and is told of in the log under a reference", () => {
    const { layer, log, tries } = namespace(2)
    return Effect.gen(function* () {
      const kv = yield* OAuthStorage
      const fiber = yield* Effect.forkChild(failureOf(kv.delete("key")))
      yield* TestClock.adjust("1 second")
      yield* later
      assert.isDefined(yield* Fiber.join(fiber))
      assert.lengthOf(tries, 2)
      assert.lengthOf(log, 1)
      assert.match(log[0] ?? "", /"reference":"[A-Z2-9]{8}"/u)
      assert.notInclude(log[0], "internal detail")
    }).pipe(Effect.provide(layer))
  })

  it.effect("of what was written a moment ago comes later, and is tried again and told of as well", () => {
    const { layer, log, tries } = namespace(2)
    return Effect.gen(function* () {
      const kv = yield* OAuthStorage
      yield* Effect.promise(() => kv.put("key", "value"))
      assert.isUndefined(yield* failureOf(kv.delete("key")))
      assert.isNull(yield* Effect.promise(() => kv.get("key")))
      assert.lengthOf(tries, 0)
      yield* later
      yield* later
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
      assert.lengthOf(tries, 2)
      assert.lengthOf(log, 1)
    }).pipe(Effect.provide(layer))
  })
})

describe("what is stored", () => {
  it("registers a client, which stays", async () => {
    const { kv, visitor } = testApp()
    const clientId = await visitor.register()
    assert.deepStrictEqual(kv.keys, [`client:${clientId}`])
    assert.deepStrictEqual(kinds(kv.calls.map(({ method }) => method)), ["put"])
  })

  it("keeps a consent page and a sign-in for 10 minutes, by hash, and uses each up", async () => {
    const { accounts, kv, visitor } = testApp()
    const clientId = await visitor.register()
    const back = await visitor.authorize(clientId, "user_ada")
    const transactions = kv.calls.filter(({ key }) => key.startsWith("transaction:"))
    assert.deepStrictEqual(
      transactions.map(({ method }) => method),
      ["put", "get", "delete", "put", "get", "delete"]
    )
    for (const { method, options } of transactions) {
      if (method === "put") assert.deepStrictEqual(options, ["expirationTtl"])
    }
    assert.isTrue(back.searchParams.has("code"))
    assert.deepStrictEqual(ofLibrary(kv.keys), ["client"])
    assert.deepStrictEqual(kinds(await accounts.recordsOf("user_ada")), ["clerk", "grant"])
  })

  it("is a grant with its user, for 10 minutes until its code is redeemed", async () => {
    const { accounts, visitor } = testApp()
    const clientId = await visitor.register()
    const back = await visitor.authorize(clientId, "user_ada")
    const secondsLeft = async (kind: string) => {
      const found = (await accounts.dump("user_ada")).find(({ key }) => key.startsWith(`${kind}:user_ada:`))
      return ((found?.expiresAt ?? 0) - Date.now()) / 1_000
    }
    assert.approximately(await secondsLeft("grant"), 600, 5)
    await visitor.redeem(clientId, back.searchParams.get("code") ?? "")
    assert.approximately(await secondsLeft("grant"), 30 * 24 * 3_600, 60)
    assert.approximately(await secondsLeft("token"), 3_600, 5)
  })

  it("is not looked for in KV by a call, which asks the object of its user once", async () => {
    const { accounts, kv, handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada")
    const before = kv.calls.length
    accounts.calls.clear()
    const headers = { authorization: `Bearer ${access_token}`, host: "mcp.example.com" }
    await handler(new Request("https://mcp.example.com/mcp", { headers }))
    assert.lengthOf(kv.calls.slice(before), 0)
    assert.deepEqual([...accounts.calls], [["admit", 1]])
  })

  it("leaves neither name, mail nor token in clear", async () => {
    const { accounts, kv, visitor } = testApp()
    const { access_token, refresh_token } = await visitor.signIn("user_ada")
    const records = await accounts.dump("user_ada")
    // What Clerk said of the user is the user's own.
    const stored = JSON.stringify([kv.dump(), records.filter(({ key }) => key !== "clerk")])
    for (const secret of [
      "ada@example.com",
      "Marlowe",
      access_token,
      refresh_token,
      access_token.split(":")[2] ?? ""
    ]) {
      assert.notInclude(stored, secret)
    }
    assert.include(stored, redirectUri)
  })

  it("revokes a grant with its tokens", async () => {
    const { accounts, visitor } = testApp()
    const { clientId, refresh_token } = await visitor.signIn("user_ada")
    const answer = await visitor.token({ token: refresh_token, client_id: clientId })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(await accounts.recordsOf("user_ada"), ["clerk"])
  })

  it("answers an outage with a page that says so, or for a program, and tells nothing of it", async () => {
    const { kv, log, visitor } = testApp()
    const clientId = await visitor.register()
    kv.outage = true
    const page = await visitor.get("/authorize", { client_id: clientId, response_type: "code" })
    assert.strictEqual(page.status, 503)
    assert.notInclude(await page.text(), "internal detail")
    assert.notInclude(log.join("\n"), "internal detail")
  })
})
