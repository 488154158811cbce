import { assert, layer } from "@effect/vitest"

import { everything, signedIn } from "../../support/OpenStreams.ts"
import { once, onServer, RunningServer } from "../../support/RunningServer.ts"
import { legacy } from "../../support/Wire.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Two machines of one person, each with everything open. */
const machines = once(async (server) => ({
  lost: await everything(server, ...(await signedIn(server, "member@example.com"))),
  kept: await everything(server, ...(await signedIn(server, "member@example.com")))
}))

const everyStream = ["mcp", "subscribed", "sse"]
/** Longer than the object takes to close a stream, and its stream to end at the client. */
const settled = () => pause(1_000)

layer(RunningServer.layer)("what is open under a grant", (it) => {
  it.effect(
    "stays when a forged token of that grant is revoked, or the token of another client, or an access token",
    onServer(async (server) => {
      const { lost, kept } = await machines(server)
      const { client, refreshToken, accessToken } = lost.mcpGrant
      const grant = refreshToken.split(":").slice(0, 2).join(":")
      for (const forged of [`${grant}:forged`, `${grant}:${"A".repeat(48)}`, "user_ghost:grant:forged", "nonsense"]) {
        await client.revoke(forged)
      }
      await kept.mcpGrant.client.revoke(refreshToken)
      const { access_token: other, refresh_token: next = "" } = await client.refresh(refreshToken)
      await client.revoke(other)
      assert.strictEqual((await legacy(server.mcp, other, "ping")).status, 401)
      await settled()
      assert.deepStrictEqual(lost.open(), everyStream)
      assert.deepStrictEqual(await lost.pings(), [200, 202])
      assert.strictEqual((await legacy(server.mcp, accessToken, "ping")).status, 200)
      assert.notStrictEqual(next, refreshToken)
    })
  )

  it.effect(
    "ends within 1 s of the revocation of its refresh token, the next call is 401, and what is open under another grant of the person does not",
    onServer(async (server) => {
      const { lost, kept } = await machines(server)
      await lost.mcpGrant.client.revoke(lost.mcpGrant.refreshToken)
      let since = performance.now()
      const { status } = await legacy(server.mcp, lost.mcpGrant.accessToken, "ping")
      assert.strictEqual(status, 401, "the call after the revocation")
      await lost.over("mcp", "subscribed")
      const ofMcp = performance.now() - since
      assert.deepStrictEqual(lost.open(), ["sse"])
      await lost.sseGrant.client.revoke(lost.sseGrant.refreshToken)
      since = performance.now()
      assert.deepStrictEqual(await lost.pings(), [401, 401])
      await lost.over("sse")
      const ofSse = performance.now() - since
      assert.deepStrictEqual(lost.open(), [])
      assert.isBelow(ofMcp, 1_000)
      assert.isBelow(ofSse, 1_000)
      const [first, second] = [ofMcp, ofSse].map((time) => Math.round(time))
      console.info(
        `a revocation: streams of a session and of 2026-07-28 closed after ${first} ms, /sse after ${second} ms`
      )
      assert.strictEqual(await lost.known(), 404)
      await settled()
      assert.deepStrictEqual(kept.open(), everyStream)
      assert.deepStrictEqual(await kept.pings(), [200, 202])
      assert.strictEqual(await kept.known(), 200)
    })
  )

  it.effect(
    "ends at the next look at a banned account, once and for all of it, and for nobody else",
    onServer(async (server) => {
      const banned = await signedIn(server, "premium@example.com")
      const others = await signedIn(server, "artist@example.com")
      await server.restart()
      // Opened while Clerk does not answer, so that the Worker need not wait for a minute before it looks again.
      await server.admin((admin) =>
        admin.addFault({ path: "/v1/users", times: 1_000, effect: { kind: "server_error" } })
      )
      const ended = await everything(server, ...banned)
      const stays = await everything(server, ...others)
      await server.admin((admin) => admin.reset)
      await server.admin((admin) => admin.ban("premium@example.com"))
      await settled()
      assert.deepStrictEqual(ended.open(), everyStream)

      let status = 200
      for (let tries = 0; status !== 401 && tries < 40; tries++) {
        await pause(500)
        status = (await legacy(server.mcp, banned[0].accessToken, "tools/list")).status
      }
      assert.strictEqual(status, 401)
      await ended.over("mcp", "subscribed", "sse")
      assert.deepStrictEqual(ended.open(), [])
      assert.deepStrictEqual(await ended.pings(), [401, 401])
      assert.strictEqual(await ended.known(), 404)
      assert.deepStrictEqual(stays.open(), everyStream)
      assert.deepStrictEqual(await stays.pings(), [200, 202])

      await server.admin((admin) => admin.unban("premium@example.com"))
      await server.restart()
      const anew = await everything(server, ...(await signedIn(server, "premium@example.com")))
      assert.deepStrictEqual(anew.open(), everyStream)
    })
  )
})
