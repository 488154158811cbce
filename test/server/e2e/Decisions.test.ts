import { assert, layer } from "@effect/vitest"

import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { connectV1, Login } from "../../support/SdkClients.ts"
import { legacy, modern } from "../../support/Wire.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

layer(RunningServer.layer)("decisions", (it) => {
  it.effect(
    "of requests without a session reach the user's object",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      for (const send of [legacy, modern]) {
        await send(server.mcp, accessToken, "tools/call", { name: "whoAmI", arguments: {} })
        await send(server.mcp, accessToken, "tools/call", { name: "paint", arguments: { prompt: "a pier" } })
        await send(server.mcp, accessToken, "resources/read", { uri: "fixture://me" })
      }
      const each = ["tools/call whoAmI completed", "tools/call paint refused", "resources/read me completed"]
      // They are collected for a second.
      await pause(1_500)
      const stored = await server.decisions(server.clerk.users.member.id)
      assert.sameMembers(
        stored.map(({ method, name, outcome }) => [method, name, outcome].join(" ")),
        [...each, ...each]
      )
    })
  )

  it.effect(
    "of a session are stored by its object, before the answer is there",
    onServer(async (server) => {
      const login = new Login(server.person("premium@example.com"))
      const client = await connectV1(server.mcp, login)
      const { id } = server.clerk.users.premium
      await client.call("whoAmI", {})
      await client.prompt("introduce", { audience: "everybody" })
      // Decisions of another connection may arrive late.
      const own = (await server.decisions(id)).filter((each) => each.clientId === login.clientInformation()?.client_id)
      assert.deepEqual(
        own.map(({ method, name, outcome }) => [method, name, outcome]),
        [
          ["prompts/get", "introduce", "completed"],
          ["tools/call", "whoAmI", "completed"]
        ]
      )
      await client.close()
    })
  )
})
