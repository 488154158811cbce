import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"
import { jsonOf, type Tokens } from "../../../src/server/testing/Visitor.ts"

const grantOf = ({ access_token }: Pick<Tokens, "access_token">) => access_token.split(":")[1] ?? ""

const clientOf = (id: string) => ({ client_id: id, grant_type: "refresh_token" })

const call = (token: string) =>
  new Request("https://mcp.example.com/mcp", { headers: { authorization: `Bearer ${token}`, host: "mcp.example.com" } })

describe("a grant that ends", () => {
  for (const hint of [undefined, "refresh_token", "access_token", "nonsense"]) {
    it(`by the revocation of its refresh token (hint ${hint}) ends what is open under it`, async () => {
      const { accounts, visitor } = testApp()
      const [tokens, kept] = [await visitor.signIn("user_ada"), await visitor.signIn("user_ada")]
      const revoke = {
        client_id: tokens.clientId,
        token: tokens.refresh_token,
        ...(hint !== undefined && { token_type_hint: hint })
      }
      assert.strictEqual((await visitor.token(revoke)).status, 200)
      assert.deepStrictEqual(accounts.ended, [`user_ada ${grantOf(tokens)}`])
      assert.notStrictEqual(grantOf(tokens), grantOf(kept))
    })
  }

  it("does not end by the revocation of an access token, a forged token, or another client’s", async () => {
    const { accounts, handler, visitor } = testApp()
    const { clientId, refresh_token, access_token } = await visitor.signIn("user_ada")
    const stranger = await visitor.register()
    const owned = refresh_token.split(":").slice(0, 2).join(":")
    for (const [client_id, token] of [
      [clientId, access_token],
      [clientId, `${owned}:forged`],
      [clientId, `${owned}:`],
      [clientId, "user_ada:nothing:forged"],
      [clientId, `user_mina:${owned.split(":")[1]}:forged`],
      [clientId, `../../all:${owned.split(":")[1]}:forged`],
      [stranger, refresh_token]
    ] as const) {
      assert.strictEqual((await visitor.token({ client_id, token })).status, 200, token)
    }
    assert.deepStrictEqual(accounts.ended, [])
    const refreshed = await visitor.token({ ...clientOf(clientId), refresh_token })
    const { access_token: next } = (await jsonOf(refreshed)) as unknown as Tokens
    assert.notStrictEqual((await handler(call(next))).status, 401)
  })

  it("by the second use of its code ends what is open under it", async () => {
    const { accounts, visitor } = testApp()
    const clientId = await visitor.register()
    const code = (await visitor.authorize(clientId, "user_ada")).searchParams.get("code") ?? ""
    const tokens = (await jsonOf(await visitor.redeem(clientId, code))) as unknown as Tokens
    assert.strictEqual((await visitor.redeem(clientId, code)).status, 400)
    assert.deepStrictEqual(accounts.ended, [`user_ada ${grantOf(tokens)}`])
  })

  it("by a refresh for a closed account ends everything of the account", async () => {
    const { accounts, clerk, visitor, wait } = testApp()
    const tokens = await visitor.signIn("user_ada")
    clerk.users.set("user_ada", { banned: true })
    wait(61)
    const { clientId, refresh_token } = tokens
    assert.strictEqual((await visitor.token({ ...clientOf(clientId), refresh_token })).status, 400)
    assert.deepStrictEqual(accounts.ended, ["user_ada all", `user_ada ${grantOf(tokens)}`])
  })

  it("by a revocation that cannot be stored is good still, and nobody is told, until the client asks again", async () => {
    const { accounts, handler, log, visitor } = testApp()
    const { access_token, clientId, refresh_token } = await visitor.signIn("user_ada")
    const revoke = () => visitor.token({ client_id: clientId, token: refresh_token })
    for (const fail of [() => (accounts.failures = 1), () => (accounts.failedCommits = 1)]) {
      fail()
      const refused = await revoke()
      assert.strictEqual(refused.status, 503)
      assert.match(refused.headers.get("retry-after") ?? "", /^[1-9]\d*$/u)
      assert.deepStrictEqual(accounts.ended, [])
      assert.notStrictEqual((await handler(call(access_token))).status, 401)
    }
    assert.strictEqual((await revoke()).status, 200)
    assert.deepStrictEqual(accounts.ended, [`user_ada ${grantOf({ access_token })}`])
    assert.strictEqual((await handler(call(access_token))).status, 401)
    assert.notInclude(log.join("\n"), "internal detail")
  })
})

describe("an account that is closed", () => {
  it("is told of once, however many of its tokens call, and again when it is closed another time", async () => {
    const { accounts, clerk, handler, visitor, wait } = testApp()
    const [one, other] = [await visitor.signIn("user_ada"), await visitor.signIn("user_ada")]
    const stranger = await visitor.signIn("user_mina")
    const statuses = async () => {
      const answers = await Promise.all([one, other, one, stranger].map((of) => handler(call(of.access_token))))
      return answers.map(({ status }) => status === 401)
    }
    for (const times of [1, 2]) {
      clerk.users.set("user_ada", { banned: true })
      wait(61)
      assert.deepStrictEqual(await statuses(), [true, true, true, false])
      wait(61)
      assert.deepStrictEqual(await statuses(), [true, true, true, false])
      assert.deepStrictEqual(
        accounts.ended,
        Array.from({ length: times }, () => "user_ada all")
      )
      clerk.users.set("user_ada", { banned: false })
      wait(61)
      assert.deepStrictEqual(await statuses(), [false, false, false, false])
    }
    assert.include(await visitor.signIn("user_ada"), { scope: "mcp:tools" })
  })

  it("and a deleted one no less, also where it was banned before", async () => {
    const { accounts, clerk, handler, visitor, wait } = testApp()
    const { access_token } = await visitor.signIn("user_ada")
    for (const close of [() => clerk.users.set("user_ada", { banned: true }), () => clerk.users.delete("user_ada")]) {
      close()
      for (let times = 0; times < 2; times++) {
        wait(61)
        assert.strictEqual((await handler(call(access_token))).status, 401)
      }
    }
    assert.deepStrictEqual(accounts.ended, ["user_ada all", "user_ada deleted"])
  })
})
