import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { leftFor } from "../../support/Person.ts"
import { type UserGrant, once, onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { challengeOf, legacy, modern } from "../../support/Wire.ts"

const names = async ({ mcp }: Server, { accessToken }: UserGrant): Promise<ReadonlyArray<string>> => {
  const { result = {} } = await modern(mcp, accessToken, "tools/list")
  return (result["tools"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)
}

const withImages = { scopes: ["paint:use"] }
const image = { name: "paint", arguments: { prompt: "a bridge" } }

const grantError = async (client: OAuthClient, fields: Readonly<Record<string, string>>) => {
  const response = await client.token(fields)
  return [response.status, (await response.json<{ readonly error?: string }>()).error] as const
}

/** Where somebody may stand when the account is closed: connected, with a code on the way, and in the sign-in. */
const standing = async (server: Server, email: string) => {
  const connection = await server.signIn(email)
  const { client } = connection
  const attempt = await client.begin()
  const back = await server.person(email).authorize(attempt.address)
  const signingIn = { person: server.person(email), attempt: await client.begin() }
  const callback = await signingIn.person.untilCallback(signingIn.attempt.address)
  const redemption = {
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier
  }
  return { ...connection, redemption, signingIn, callback }
}

const closed = once(async (server) => {
  const banned = await standing(server, "premium@example.com")
  const deleted = await standing(server, "artist@example.com")
  await server.admin((admin) => admin.ban("premium@example.com"))
  await server.admin((admin) => admin.deleteUser("artist@example.com"))
  await server.restart()
  return { banned, deleted }
})

layer(RunningServer.layer)("accounts", (it) => {
  it.effect(
    "roles that nobody defined give nothing, whatever they look like",
    onServer(async (server) => {
      const roles = { admin: "Admin", premium: " premium", artist: ["image_generation"], member: "admin,premium" }
      for (const [who, role] of Object.entries(roles)) {
        const email = `${who}@example.com`
        await server.admin((admin) => admin.setPublicMetadata(email, { role, roles: ["admin"] }))
        const connection = await server.signIn(email, withImages)
        assert.sameMembers([...(await names(server, connection))], ["sum", "whoAmI", "endOthers"], email)
      }
      await server.admin((admin) => admin.reset)
      await server.restart()
    })
  )

  it.effect(
    "Clerk is asked about a user once, not at every call",
    onServer(async (server) => {
      const connection = await server.signIn("admin@example.com")
      const path = `/v1/users/${server.clerk.users.admin.id}`
      const asked = () => server.admin((admin) => admin.countRequests(path, "GET"))
      // The user and the memberships.
      assert.strictEqual(await asked(), 2)
      await Promise.all([1, 2, 3, 4, 5].map(() => names(server, connection)))
      assert.strictEqual(await asked(), 2)
    })
  )

  it.effect(
    "a role given or taken away counts for tokens that were issued before",
    onServer(async (server) => {
      const connection = await server.signIn("member@example.com", withImages)
      assert.notInclude(await names(server, connection), "paint")

      await server.admin((admin) => admin.setRole("member@example.com", "premium"))
      await server.restart()
      await server.admin((admin) => admin.forgetRequests)
      const lists = await Promise.all([1, 2, 3, 4, 5].map(() => names(server, connection)))
      for (const list of lists) assert.include(list, "paint")
      // However many calls come at once, that is one question about the user and one about the memberships.
      assert.strictEqual(await server.admin((admin) => admin.countRequests("/v1/users", "GET")), 2)
      const drawn = await modern(server.mcp, connection.accessToken, "tools/call", image)
      assert.strictEqual(drawn.status, 200)
      assert.notOk(drawn.result?.["isError"])

      await server.admin((admin) => admin.setRole("member@example.com", undefined))
      await server.restart()
      assert.notInclude(await names(server, connection), "paint")
      const refused = await modern(server.mcp, connection.accessToken, "tools/call", image)
      assert.isTrue(refused.result?.["isError"])
      assert.match(JSON.stringify(refused.result?.["content"]), /role admin, role premium, role image_generation/u)
    })
  )

  for (const what of ["banned", "deleted"] as const) {
    it.effect(
      `a ${what} account: its access token is invalid`,
      onServer(async (server) => {
        const { [what]: account } = await closed(server)
        for (const send of [legacy, modern]) {
          const call = await send(server.mcp, account.accessToken, "tools/call", { name: "whoAmI", arguments: {} })
          assert.strictEqual(call.status, 401)
          const challenge = challengeOf(call.headers)
          assert.strictEqual(challenge["error"], "invalid_token")
          assert.strictEqual(challenge["resource_metadata"], `${server.url}/.well-known/oauth-protected-resource/mcp`)
        }
      })
    )

    it.effect(
      `a ${what} account: a code that was on the way gets no token`,
      onServer(async (server) => {
        const { [what]: account } = await closed(server)
        assert.deepStrictEqual(await grantError(account.client, account.redemption), [400, "invalid_grant"])
      })
    )

    it.effect(
      `a ${what} account: its refresh token is no grant any more`,
      onServer(async (server) => {
        const { [what]: account } = await closed(server)
        const refresh = { grant_type: "refresh_token", refresh_token: account.refreshToken }
        assert.deepStrictEqual(await grantError(account.client, refresh), [400, "invalid_grant"])
      })
    )

    it.effect(
      `a ${what} account: a sign-in that was under way ends without a code`,
      onServer(async (server) => {
        const { [what]: account } = await closed(server)
        const back = leftFor(await account.signingIn.person.browser.open(account.callback))
        assert.sameMembers([...back.searchParams.keys()], ["error", "error_description", "state", "iss"])
        assert.include(["access_denied", "server_error"], back.searchParams.get("error"))
        assert.strictEqual(back.searchParams.get("state"), account.signingIn.attempt.state)
        assert.strictEqual(back.searchParams.get("iss"), server.url)
      })
    )
  }

  it.effect(
    "a grant that was refused to a closed account stays lost when the account comes back",
    onServer(async (server) => {
      const { banned, deleted } = await closed(server)
      await server.admin((admin) => admin.reset)
      await server.restart()
      for (const account of [banned, deleted]) {
        const refresh = { grant_type: "refresh_token", refresh_token: account.refreshToken }
        assert.deepStrictEqual(await grantError(account.client, refresh), [400, "invalid_grant"])
        assert.strictEqual((await legacy(server.mcp, account.accessToken, "tools/list")).status, 401)
      }
      const anew = await server.signIn("premium@example.com", { client: banned.client })
      assert.include(await names(server, anew), "sum")
    })
  )

  it.effect(
    "somebody who is banned cannot sign in at Clerk in the first place",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const person = server.person("banned@example.com")
      const { page } = await person.untilSignIn((await client.begin()).address)
      const refused = await person.signIn(page)
      assert.deepStrictEqual([refused.url.origin, refused.status], [server.clerk.url, 422])
    })
  )
})
