import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"

import { ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { testServer } from "../../../src/server/testing/index.ts"
import { operatorToken as sign } from "../../support/OperatorToken.ts"
import { deciding } from "../fixture/Deciding.ts"

const origin = "https://mcp.example.com"
const otherKeys = `first:${btoa("a key of somebody else: 32 bytes and more....")}`

const serving = () => {
  const server = testServer(deciding, {
    users: [
      { id: "user_ada", role: "member" },
      { id: "user_king", role: "king" },
      { id: "user_bad", banned: true }
    ]
  })
  const ask = async (query: string, token?: string) => {
    const bearer = token ?? (await sign())
    const request = new Request(`${origin}/operator/explain?${query}`, {
      headers: { authorization: `Bearer ${bearer}`, host: "mcp.example.com" }
    })
    const response = await server.handler(request)
    return { status: response.status, text: await response.clone().text(), body: await response.json<any>() }
  }
  return { server, ask }
}

describe("/operator/explain", () => {
  it("says for each connection why a user may or may not, and what lacks", async () => {
    const { server, ask } = serving()
    await server.connect({ id: "user_ada" })
    await server.connect({ id: "user_king" })
    const ada = await ask("user=user_ada&tool=reigns")
    assert.strictEqual(ada.status, 200)
    assert.isFalse(ada.body.may)
    assert.match(
      ada.body.words,
      /^user_ada may not use reigns through client \S+: it needs one of the roles king, queen, and the account's role is member\.$/u
    )
    assert.lengthOf(ada.body.connections, 1)
    const king = await ask("user=user_king&tool=reigns")
    assert.isTrue(king.body.may)
    const scope = await ask("user=user_ada&tool=costs")
    assert.include(scope.body.words, "lacks the scope paint:use.")
    assert.include((await ask("user=user_ada&prompt=secret")).body.words, "it needs the role king")
    assert.isTrue((await ask("user=user_ada&resource=letter")).body.may)
  })

  it("says that a user without a connection has none", async () => {
    const { ask } = serving()
    const { body } = await ask("user=user_king&tool=reigns")
    assert.isFalse(body.may)
    assert.strictEqual(body.words, "user_king may use reigns. The user has no connection.")
  })

  it("tells how a decision went, and how it would go now", async () => {
    const { server, ask } = serving()
    const client = await server.connect({ id: "user_ada" })
    await client.callTool({ name: "reigns", arguments: {} })
    const [decision] = server.decisions
    const query = `user=user_ada&reference=${decision?.reference}`
    assert.strictEqual((await ask(query)).status, 404)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const { status, body } = await ask(query)
    assert.strictEqual(status, 200)
    assert.deepEqual(body.decision, { ...decision })
    assert.include(body.words, "The account lacked role king or role queen.")
    assert.include(body.words, "\nNow: user_ada may not use reigns")
    assert.strictEqual((await ask(`user=user_king&reference=${decision?.reference}`)).status, 404)
  })

  it("refuses whoever holds no key of the server, without a word more", async () => {
    const { server, ask } = serving()
    const { access_token: accessToken } = await server.visitor.signIn("user_ada")
    const tokens = {
      none: "",
      nonsense: "a.b.c",
      "an access token": accessToken,
      "of another key": await sign({ keys: otherKeys }),
      "for another purpose": await sign({ purpose: "question" }),
      "for another server": await sign({ audience: "https://other.example.com" }),
      expired: await sign({ lifetime: Duration.minutes(-1) })
    }
    const answers = await Promise.all(
      Object.entries(tokens).map(async ([what, token]) => [what, await ask("user=user_ada&tool=works", token)] as const)
    )
    for (const [what, { status, text }] of answers) {
      assert.strictEqual(status, 401, what)
      assert.strictEqual(text, answers[0]?.[1].text, what)
    }
    const used = server.log.filter((line) => line.includes("An operator asked"))
    assert.lengthOf(used, 0)
  })

  it("says what is wrong with a question, and records each use", async () => {
    const { server, ask } = serving()
    const status = async (query: string) => (await ask(query)).status
    assert.strictEqual(await status("tool=works"), 400)
    assert.strictEqual(await status("user=ada@example.com&tool=works"), 400)
    assert.strictEqual(await status("user=user_ada"), 400)
    assert.strictEqual(await status("user=user_ada&tool=works&prompt=speech"), 400)
    assert.strictEqual(await status("user=user_ada&tool=works&reference=AAAA2222"), 400)
    assert.strictEqual(await status("user=user_ada&tool=nothing"), 404)
    assert.include((await ask("user=user_bad&tool=works")).body.words, "banned in Clerk")
    assert.include((await ask("user=user_gone&tool=works")).body.words, "does not exist in Clerk")
    server.clerk.outage = new ClerkUnavailable({ operation: "users.getUser" })
    assert.strictEqual(await status("user=user_king&tool=works"), 503)
    const used = server.log.filter((line) => line.includes("An operator asked"))
    assert.lengthOf(used, 4)
    assert.include(used[0], '"userId":"user_ada"')
  })
})
