import { assert, layer } from "@effect/vitest"

import { Tampering } from "../../../dev/clerk/oauth/IdTokens.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { leftFor } from "../../support/Person.ts"
import { onServer, RunningServer } from "../../support/RunningServer.ts"

layer(RunningServer.layer)("attacks on the proof of identity", (it) => {
  for (const tampering of Tampering.literals) {
    it.effect(
      `an id_token with ${tampering} signs nobody in`,
      onServer(async (server) => {
        const client = await OAuthClient.register(server.mcp)
        const attempt = await client.begin()
        const person = server.person("admin@example.com")
        const callback = await person.untilCallback(attempt.address)
        const grants = async () => {
          const users = Object.values(server.clerk.users)
          const made = await Promise.all(users.map(async ({ id }) => (await (await server.object(id)).grants()).length))
          return made.reduce((sum, count) => sum + count, 0)
        }
        const before = await grants()
        const asked = await server.admin((admin) => admin.countRequests("/oauth/token", "POST"))
        await server.admin((admin) => admin.tamperWithNextIdToken(tampering))
        const back = leftFor(await person.browser.open(callback))
        assert.strictEqual(await server.admin((admin) => admin.countRequests("/oauth/token", "POST")), asked + 1)
        assert.strictEqual(`${back.origin}${back.pathname}`, attempt.redirectUri)
        assert.sameMembers([...back.searchParams.keys()], ["error", "error_description", "state", "iss"])
        assert.strictEqual(back.searchParams.get("error"), "server_error")
        assert.strictEqual(back.searchParams.get("state"), attempt.state)
        assert.strictEqual(back.searchParams.get("iss"), server.url)
        assert.strictEqual(await grants(), before)
        // The way back is used up: the person starts again, and nothing of the failure sticks.
        assert.strictEqual(leftFor(await person.browser.open(callback)).href, back.href)
        assert.strictEqual((await server.signIn("admin@example.com", { client, person })).tokens.token_type, "bearer")
      })
    )
  }

  it.effect(
    "a key that Clerk has replaced signs nobody in any more, and its successor does soon",
    onServer(async (server) => {
      await server.signIn("admin@example.com")
      await server.admin((admin) => admin.rotateSigningKey({ keepPrevious: true }))
      await server.restart()
      assert.strictEqual((await server.signIn("admin@example.com")).tokens.token_type, "bearer")
    })
  )
})
