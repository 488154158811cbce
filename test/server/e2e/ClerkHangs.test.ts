import { assert, layer } from "@effect/vitest"

import { once, onServer, RunningServer } from "../../support/RunningServer.ts"
import { opened } from "../../support/OpenSession.ts"
import { modern } from "../../support/Wire.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const unknown = "Your permissions cannot be checked right now. Please try again in a moment."
const sum = { name: "sum", arguments: { a: 1, b: 1 } }

/**
 * One person for each lane, so that each has a first call, of whom nothing is known that counts; and from here on Clerk
 * takes 30 s for every answer about anybody.
 */
const hanging = once(async (server) => {
  const [stateless, inSession] = [await server.signIn("member@example.com"), await server.signIn("artist@example.com")]
  const session = await opened(server, inSession.accessToken)
  await server.restart()
  await server.admin((admin) =>
    admin.addFault({ path: "/v1/users", times: 1_000, effect: { kind: "delay", millis: 30_000 } })
  )
  return {
    "without a session": () => modern(server.mcp, stateless.accessToken, "tools/call", sum),
    "in a session": () => session.send("tools/call", sum)
  }
})

layer(RunningServer.layer)("Clerk, which hangs", (it) => {
  for (const lane of ["without a session", "in a session"] as const) {
    it.effect(
      `keeps a call ${lane} for 6 s at most: the first one, the next, and one that looks at Clerk again`,
      onServer(async (server) => {
        const call = (await hanging(server))[lane]
        const took: Array<number> = []
        // Clerk is left alone for some seconds after a look that failed.
        for (const wait of [0, 0, 7_000]) {
          await pause(wait)
          const asked = await server.admin((admin) => admin.countRequests("/v1/users"))
          const since = performance.now()
          const { status, result } = await call()
          took.push(Math.round(performance.now() - since))
          assert.strictEqual(status, 200)
          assert.deepStrictEqual(result?.["content"], [{ type: "text", text: unknown }])
          const again = (await server.admin((admin) => admin.countRequests("/v1/users"))) > asked
          // The call in between costs Clerk nothing: it hangs all the same.
          assert.strictEqual(again, took.length !== 2)
        }
        for (const milliseconds of took) assert.isBelow(milliseconds, 6_000)
        console.info(`Clerk hangs: answered ${lane} after ${took.join(", ")} ms`)
      })
    )
  }
})
