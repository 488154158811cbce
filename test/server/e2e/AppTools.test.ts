import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { Fault } from "../../../dev/clerk/Faults.ts"
import { AppPerson } from "../../support/AppPerson.ts"
import { serve } from "../../support/FetchServer.ts"
import { freePort } from "../../support/FreePort.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy } from "../../support/Wire.ts"

const profile = { id: "user_x", email: null, firstName: "Ada", lastName: null, role: "admin" }

/** An app that answers as a test says, and keeps the tokens that it was shown. */
const app = { answer: (): Response | Promise<Response> => Response.json(profile), tokens: new Array<string>() }

const appAt = (port: number) =>
  Layer.effectDiscard(
    serve(port, (request) => {
      app.tokens.push(request.headers.get("authorization") ?? "")
      return Promise.resolve(app.answer())
    })
  )

/** A connection of somebody who signed in through the app, with the scope for its API. */
const connect = async (server: Server, email = "admin@example.com") => {
  const client = await OAuthClient.register(server.mcp)
  const person = await AppPerson.in(server, email)
  const attempt = await client.begin({ scope: "mcp:tools app:use" })
  const tokens = await client.redeem(attempt, await person.authorize(attempt.address))
  app.tokens.length = 0
  await server.admin((admin) => admin.forgetRequests)
  return { client, person, ...tokens }
}

const call = ({ mcp }: Server, token: string, name = "appProfile") =>
  legacy(mcp, token, "tools/call", { name, arguments: {} })

const textOf = (reply: Awaited<ReturnType<typeof call>>) => JSON.stringify(reply.result?.["content"])

const minted = (server: Server) => server.admin((admin) => admin.countRequests("/v1/sessions/", "POST"))

const told = async (server: Server, token: string, answer: typeof app.answer) => {
  app.answer = answer
  const reply = await call(server, token)
  app.answer = () => Response.json(profile)
  assert.isTrue(reply.result?.["isError"])
  return textOf(reply)
}

const running = Layer.unwrap(
  Effect.map(Effect.promise(freePort), (port) =>
    Layer.merge(RunningServer.layerWithApp(`http://127.0.0.1:${port}`), appAt(port))
  )
)

layer(running)("tools that call the app", (it) => {
  it.effect(
    "show the app a token of the user, one for many calls",
    onServer(async (server) => {
      const { access_token } = await connect(server)
      for (let calls = 0; calls < 4; calls++) {
        assert.deepStrictEqual((await call(server, access_token)).result?.["structuredContent"], profile)
      }
      assert.strictEqual(app.tokens.length, 4)
      assert.strictEqual(new Set(app.tokens).size, 1)
      // The one by which the object knows that the session is alive was made when the client got its access token.
      assert.strictEqual(await minted(server), 1)
      assert.notInclude(server.logs().join("\n"), app.tokens[0]?.slice(7) ?? "")
    })
  )

  it.effect(
    "replace a token that the app refuses, once",
    onServer(async (server) => {
      const { access_token } = await connect(server)
      app.answer = () => (app.tokens.length === 1 ? new Response(null, { status: 401 }) : Response.json(profile))
      const reply = await call(server, access_token)
      assert.deepStrictEqual(reply.result?.["structuredContent"], profile)
      assert.strictEqual(new Set(app.tokens).size, 2)
      app.tokens.length = 0
      assert.match(await told(server, access_token, () => new Response(null, { status: 401 })), /status 401/u)
      assert.strictEqual(app.tokens.length, 2)
    })
  )

  it.effect(
    "say clearly what the app did, and nothing of what it said",
    onServer(async (server) => {
      const { access_token } = await connect(server)
      const html = (status: number) => () =>
        new Response("<h1>secret</h1>", { status, headers: { "content-type": "text/html" } })
      const answers: ReadonlyArray<readonly [typeof app.answer, RegExp]> = [
        [html(200), /no JSON/u],
        [html(403), /does not allow you/u],
        [html(500), /an error/u],
        [() => new Response(null, { status: 429 }), /too many requests/u],
        [() => Response.json({ ...profile, id: 7, secret: "secret" }), /other JSON than agreed/u]
      ]
      for (const [answer, words] of answers) {
        const text = await told(server, access_token, answer)
        assert.match(text, words)
        assert.notInclude(text, "secret")
      }
    })
  )

  it.effect(
    "are in the log where they fail, under the reference that the client is told",
    onServer(async (server) => {
      const { access_token } = await connect(server)
      const text = await told(server, access_token, () => new Response(null, { status: 503 }))
      const [, reference = "none"] = /Reference ([2-9A-Z]{8})"/u.exec(text) ?? []
      const all = server.logs().filter((line) => line.includes(reference))
      const lines = all.filter((line) => !line.includes('"message":"Decision"'))
      assert.lengthOf(all, 2)
      assert.lengthOf(lines, 1)
      assert.include(lines[0], '"reason":"AppApiError/AppUnavailable"')
      assert.include(lines[0], `"tool":"appProfile","userId":"${server.clerk.users.admin.id}"`)
    })
  )

  it.effect(
    "a session that ends takes its connection along, and no other one",
    onServer(async (server) => {
      const other = await connect(server)
      const { client, person, access_token, refresh_token = "" } = await connect(server)
      assert.isUndefined((await call(server, access_token)).result?.["isError"])
      await server.admin((admin) => admin.endSession(person.sessionId))
      // What an isolate knows of the session is as old as the token that it keeps.
      await server.restart()
      const refused = await call(server, access_token)
      assert.strictEqual(refused.status, 401)
      assert.match(refused.headers.get("www-authenticate") ?? "", /error="invalid_token"/u)
      const renewal = await client.token({ grant_type: "refresh_token", refresh_token })
      assert.deepInclude(await renewal.json<object>(), { error: "invalid_grant" })
      assert.deepStrictEqual((await call(server, other.access_token)).result?.["structuredContent"], profile)

      const again = await connect(server)
      assert.deepStrictEqual((await call(server, again.access_token)).result?.["structuredContent"], profile)
    })
  )

  it.effect(
    "Clerk's troubles pass, and end nothing",
    onServer(async (server) => {
      const { access_token } = await connect(server)
      const refusals: ReadonlyArray<Fault["effect"]> = [
        { kind: "server_error" },
        { kind: "rate_limited", retryAfterSeconds: 1 }
      ]
      for (const effect of refusals) {
        await server.restart()
        // The first of these is the guard's, which lets the call pass: nobody said that the session has ended.
        await server.admin((admin) => admin.addFault({ path: "/v1/sessions/", method: "POST", times: 4, effect }))
        assert.match(textOf(await call(server, access_token)), /no token from Clerk/u, effect.kind)
        await server.restart()
        assert.deepStrictEqual((await call(server, access_token)).result?.["structuredContent"], profile)
      }
      await server.restart()
      const passing = { kind: "server_error" } as const
      await server.admin((admin) =>
        admin.addFault({ path: "/v1/sessions/", method: "POST", times: 3, effect: passing })
      )
      assert.deepStrictEqual((await call(server, access_token)).result?.["structuredContent"], profile)
    })
  )

  it.effect(
    "fail alone where Clerk has no template for their token: the connection is good for everything else",
    onServer(async (server) => {
      const { client, access_token, refresh_token = "" } = await connect(server)
      await server.restart()
      const effect = { kind: "refused", status: 404, code: "resource_not_found" } as const
      await server.admin((admin) => admin.addFault({ path: "/v1/sessions/", method: "POST", times: 1_000, effect }))
      const before = server.logs().length
      assert.match(textOf(await call(server, access_token)), /Clerk gives no token for it/u)
      for (let time = 0; time < 3; time++) {
        assert.isUndefined((await call(server, access_token, "whoAmI")).result?.["isError"])
      }
      assert.isString((await client.refresh(refresh_token)).access_token)
      const lines = server.logs().slice(before).join("\n").split("\n")
      assert.lengthOf(
        lines.filter((line) => line.includes("check CLERK_JWT_TEMPLATE")),
        1
      )
      await server.admin((admin) => admin.reset)
    })
  )

  it.effect(
    "are not shown where a role is missing, and ask for their scope",
    onServer(async (server) => {
      const member = await connect(server, "member@example.com")
      assert.match(
        JSON.stringify((await call(server, member.access_token, "appUsers")).result),
        /It needs role admin\. Reference [A-Z2-9]{8}/u
      )
    })
  )
})
