import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { UserId } from "../../../src/server/domain/Principal.ts"
import * as AuthorizationServer from "../../../src/server/oauth/AuthorizationServer.ts"
import { GrantCheck } from "../../../src/server/oauth/GrantCheck.ts"
import { OAuthEndpoints } from "../../../src/server/oauth/OAuthEndpoints.ts"
import { GrantStorage, OAuthStorage } from "../../../src/server/oauth/OAuthStorage.ts"
import { makePending } from "../../../src/server/oauth/PendingSignIn.ts"
import { ConsentTime } from "../../../src/server/oauth/SignIn.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { UserAuthorities } from "../../../src/server/oauth/UserAuthorities.ts"
import { MemoryKv } from "../../../src/server/testing/MemoryKv.ts"
import { authorizationRequest, jsonOf, Visitor } from "../../../src/server/testing/Visitor.ts"
import { testApp } from "../../support/TestApp.ts"
import { testConfig } from "../../support/TestConfig.ts"

/** What comes before there is a grant: no user's object is asked. */
const withServer = <A, E>(test: Effect.Effect<A, E, Layer.Success<typeof AuthorizationServer.layer> | StateSigner>) =>
  Effect.suspend(() =>
    Effect.provide(
      test,
      AuthorizationServer.layer.pipe(
        Layer.provide([
          new MemoryKv().layer,
          Layer.provide(Layer.effect(GrantStorage, OAuthStorage), new MemoryKv().layer),
          Layer.succeed(UserAuthorities, { of: () => assert.fail("asked") }),
          GrantCheck.layerElsewhere
        ]),
        Layer.provideMerge(StateSigner.layer),
        Layer.provide(testConfig())
      )
    )
  )

const authorizeRequest = (parameters: Readonly<Record<string, string>>) =>
  new Request(`https://mcp.example.com/authorize?${new URLSearchParams(parameters).toString()}`)

/** A client that has registered. */
const registered = Effect.gen(function* () {
  const endpoints = yield* OAuthEndpoints
  const run = Effect.runPromiseWith(yield* Effect.context())
  return yield* Effect.promise(() => new Visitor((request) => run(endpoints.answer(request))).register())
})

describe("AuthorizationServer", () => {
  it.effect("always asks for the baseline, once, and drops what OpenID clients add out of habit", () =>
    withServer(
      Effect.gen(function* () {
        const server = yield* OAuthEndpoints
        const clientId = yield* registered
        for (const [asked, granted] of [
          ["", ["mcp:tools"]],
          ["paint:use", ["mcp:tools", "paint:use"]],
          ["mcp:tools paint:use mcp:tools", ["mcp:tools", "paint:use"]],
          ["openid profile email offline_access", ["mcp:tools"]]
        ] as const) {
          const parameters = yield* Effect.promise(() => authorizationRequest(clientId, asked))
          assert.deepStrictEqual((yield* server.parse(authorizeRequest(parameters))).scope, [...granted], asked)
        }
        const parameters = yield* Effect.promise(() => authorizationRequest(clientId))
        assert.strictEqual((yield* server.parse(authorizeRequest(parameters))).state, "the-state-of-the-client")
      })
    )
  )

  it.effect("trusts a redirect only once client and address have been checked", () =>
    withServer(
      Effect.gen(function* () {
        const server = yield* OAuthEndpoints
        const clientId = yield* registered
        const parameters = yield* Effect.promise(() => authorizationRequest(clientId))
        const failure = (change: Readonly<Record<string, string>>) =>
          Effect.flip(server.parse(authorizeRequest({ ...parameters, ...change })))
        const known = yield* failure({ scope: "admin" })
        assert.deepStrictEqual(known.redirect, {
          redirectUri: "https://client.example/callback",
          state: "the-state-of-the-client",
          issuer: "https://mcp.example.com"
        })
        for (const change of [{ client_id: "nobody" }, { redirect_uri: "https://evil.example/" }]) {
          assert.isUndefined((yield* failure({ ...change, scope: "admin" })).redirect)
        }
      })
    )
  )

  it("signs one machine in without signing the other out", async () => {
    const { visitor } = testApp()
    const clientId = await visitor.register()
    const refreshTokens: Array<string> = []
    for (let machines = 0; machines < 2; machines++) {
      const code = (await visitor.authorize(clientId, "user_ada")).searchParams.get("code") ?? ""
      refreshTokens.push(String((await jsonOf(await visitor.redeem(clientId, code)))["refresh_token"]))
    }
    for (const refresh_token of refreshTokens) {
      const answer = await visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
      assert.strictEqual(answer.status, 200)
    }
  })

  it.effect("gives back what it kept, to the browser that it gave the cookie to", () =>
    withServer(
      Effect.gen(function* () {
        const pending = yield* makePending("sign-in", Schema.Struct({ consent: ConsentTime, nonce: Schema.String }))
        const endpoints = yield* OAuthEndpoints
        const clientId = yield* registered
        const parameters = yield* Effect.promise(() => authorizationRequest(clientId))
        const authRequest = yield* endpoints.parse(authorizeRequest(parameters))
        const given = new Headers({ "set-cookie": "other=1" })
        const { state, headers } = yield* pending.begin(authRequest, { consent: "now", nonce: "n" }, given)
        assert.include(headers.getSetCookie().join(), "other=1")
        const cookie = headers
          .getSetCookie()
          .map((header) => header.split(";")[0])
          .join("; ")
        const finish = (headers: HeadersInit) => {
          const request = new Request(`https://mcp.example.com/callback?state=${state}`, { headers })
          return pending.finish(request, (_, { nonce }) =>
            Effect.succeed({ subject: { userId: UserId.make(`user_${nonce}`) } })
          )
        }
        const stranger = yield* Effect.flip(finish({}))
        assert.strictEqual(stranger.reason._tag, "RequestRejected")
        assert.isUndefined(stranger.redirect)
        const finished = yield* finish({ cookie })
        assert.deepStrictEqual(finished.subject, { userId: UserId.make("user_n") })
        assert.strictEqual(finished.for === "client" && finished.authRequest.clientId, authRequest.clientId)
        yield* Effect.flip(finish({ cookie }))
      })
    )
  )
})
