import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Access } from "../../../src/server/access/Access.ts"
import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { CurrentPrincipal, UserId } from "../../../src/server/domain/Principal.ts"
import * as AuthorizationServer from "../../../src/server/oauth/AuthorizationServer.ts"
import { Grants } from "../../../src/server/oauth/Grants.ts"
import { OAuthEndpoints } from "../../../src/server/oauth/OAuthEndpoints.ts"
import { makePending } from "../../../src/server/oauth/PendingSignIn.ts"
import type { Resource } from "../../../src/server/oauth/Resource.ts"
import { ResourceServer } from "../../../src/server/oauth/ResourceServer.ts"
import { ConsentTime } from "../../../src/server/oauth/SignIn.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { FakeAccounts } from "../../../src/server/testing/FakeAccounts.ts"
import { FakeClerk } from "../../../src/server/testing/FakeClerk.ts"
import { MemoryKv } from "../../../src/server/testing/MemoryKv.ts"
import { testConfig } from "../../support/TestConfig.ts"
import { authorizationRequest, Visitor } from "../../../src/server/testing/Visitor.ts"

/** The server by itself, on stand-ins, and the time that it is: the library reads the system's clock. */
const withServer = <A, E>(test: Effect.Effect<A, E, Layer.Success<typeof AuthorizationServer.layer> | StateSigner>) =>
  Effect.suspend(() => {
    const clerk = new FakeClerk({ id: "user_ada" }, { id: "user_mina" })
    return Effect.provide(
      test,
      AuthorizationServer.layer.pipe(
        Layer.provide(
          Layer.mergeAll(Access.layer, ClerkSessionTokens.layer, new MemoryKv().layer, new FakeAccounts().layer)
        ),
        Layer.provideMerge(StateSigner.layer),
        Layer.provide(Layer.merge(clerk.layer, testConfig()))
      )
    )
  })

const authorizeRequest = (parameters: Readonly<Record<string, string>>) =>
  new Request(`https://mcp.example.com/authorize?${new URLSearchParams(parameters).toString()}`)

/** An access token for these scopes, without consent and sign-in. */
const tokenFor = Effect.fnUntraced(function* (userId: string, change: { readonly scope?: ReadonlyArray<string> } = {}) {
  const endpoints = yield* OAuthEndpoints
  const run = Effect.runPromiseWith(yield* Effect.context())
  const client = new Visitor((request) => run(endpoints.answer(request)))
  const clientId = yield* Effect.promise(() => client.register())
  const parameters = yield* Effect.promise(() => authorizationRequest(clientId))
  const authRequest = yield* endpoints.parse(authorizeRequest(parameters))
  const scope = [...(change.scope ?? authRequest.scope)]
  const redirect = yield* (yield* Grants).complete({ ...authRequest, scope }, { userId: UserId.make(userId) })
  const code = new URL(redirect).searchParams.get("code") ?? ""
  const answer = yield* Effect.promise(async () => (await client.redeem(clientId, code)).json())
  return {
    client,
    clientId,
    authRequest,
    ...(answer as { readonly access_token: string; readonly refresh_token: string })
  }
})

const bearer = (token: string, resource: Resource = "/mcp") =>
  new Request(`https://mcp.example.com${resource}`, { headers: { authorization: `Bearer ${token}` } })

const guarded = <R>(resource: Resource, token: string, serve: Effect.Effect<Response, never, R>) =>
  Effect.flatMap(ResourceServer, (server) => server.serve(resource, bearer(token, resource), serve))

const tellWho = Effect.map(CurrentPrincipal, (principal) => Response.json(principal))

describe("ResourceServer", () => {
  it.effect("provides the principal of the token, and no more than that", () =>
    withServer(
      Effect.gen(function* () {
        const { access_token, clientId } = yield* tokenFor("user_ada")
        const response = yield* guarded("/mcp", access_token, tellWho)
        assert.deepStrictEqual(yield* Effect.promise(() => response.json()), {
          userId: "user_ada",
          grantId: access_token.split(":")[1],
          clientId,
          scopes: ["mcp:tools"]
        })
      })
    )
  )

  it.effect("lets a token for one resource do nothing at the other", () =>
    withServer(
      Effect.gen(function* () {
        const { access_token } = yield* tokenFor("user_ada")
        const response = yield* guarded("/sse", access_token, Effect.die("served"))
        assert.strictEqual(response.status, 401)
        assert.include(response.headers.get("www-authenticate"), "/.well-known/oauth-protected-resource/sse")
      })
    )
  )

  it.effect("does not serve a token without the baseline scope, and asks for it", () =>
    withServer(
      Effect.gen(function* () {
        const { access_token } = yield* tokenFor("user_ada", { scope: ["paint:use"] })
        const response = yield* guarded("/mcp", access_token, Effect.die("served"))
        assert.strictEqual(response.status, 403)
        assert.include(response.headers.get("www-authenticate"), 'error="insufficient_scope"')
        assert.include(response.headers.get("www-authenticate"), 'scope="mcp:tools"')
      })
    )
  )

  it.effect("keeps requests apart that are served at the same time", () =>
    withServer(
      Effect.gen(function* () {
        const [ada, mina] = [yield* tokenFor("user_ada"), yield* tokenFor("user_mina")]
        const slow = Effect.andThen(
          Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5))),
          tellWho
        )
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? ada : mina)),
          ({ access_token }) => guarded("/mcp", access_token, slow),
          { concurrency: "unbounded" }
        )
        const users = yield* Effect.promise(() => Promise.all(answers.map(async (answer) => answer.text())))
        users.forEach((text, index) => assert.include(text, index % 2 === 0 ? "user_ada" : "user_mina"))
      })
    )
  )

  it.effect("stops serving when it is interrupted", () =>
    withServer(
      Effect.gen(function* () {
        const [started, stopped] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const { access_token } = yield* tokenFor("user_ada")
        const hanging = Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
        )
        const fiber = yield* Effect.forkChild(guarded("/mcp", access_token, hanging))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(stopped)
      })
    )
  )
})

describe("AuthorizationServer", () => {
  it.effect("always asks for the baseline, once, and drops what OpenID clients add out of habit", () =>
    withServer(
      Effect.gen(function* () {
        const server = yield* OAuthEndpoints
        const { authRequest, clientId } = yield* tokenFor("user_ada")
        for (const [asked, granted] of [
          ["", ["mcp:tools"]],
          ["paint:use", ["mcp:tools", "paint:use"]],
          ["mcp:tools paint:use mcp:tools", ["mcp:tools", "paint:use"]],
          ["openid profile email offline_access", ["mcp:tools"]]
        ] as const) {
          const parameters = yield* Effect.promise(() => authorizationRequest(clientId, asked))
          assert.deepStrictEqual((yield* server.parse(authorizeRequest(parameters))).scope, [...granted], asked)
        }
        assert.strictEqual(authRequest.state, "the-state-of-the-client")
      })
    )
  )

  it.effect("trusts a redirect only once client and address have been checked", () =>
    withServer(
      Effect.gen(function* () {
        const server = yield* OAuthEndpoints
        const { clientId } = yield* tokenFor("user_ada")
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

  it.effect("signs one machine in without signing the other out", () =>
    withServer(
      Effect.gen(function* () {
        const grants = yield* Grants
        const { client, clientId, authRequest, refresh_token } = yield* tokenFor("user_ada")
        yield* grants.complete(authRequest, { userId: UserId.make("user_ada") })
        const answer = yield* Effect.promise(() =>
          client.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
        )
        assert.strictEqual(answer.status, 200)
      })
    )
  )

  it.effect("gives back what it kept, to the browser that it gave the cookie to", () =>
    withServer(
      Effect.gen(function* () {
        const pending = yield* makePending("sign-in", Schema.Struct({ consent: ConsentTime, nonce: Schema.String }))
        const { authRequest } = yield* tokenFor("user_ada")
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
        assert.strictEqual(finished.authRequest.clientId, authRequest.clientId)
        yield* Effect.flip(finish({ cookie }))
      })
    )
  )
})
