import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { exampleApps } from "../../support/ExampleApps.ts"
import { platform } from "../../support/LocalServer.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { consentForm, leftFor } from "../../support/Person.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { WebBrowser } from "../../support/WebBrowser.ts"
import { legacy } from "../../support/Wire.ts"
import { formOf } from "../../../src/server/testing/Visitor.ts"

/** Of the loopback hosts, the other than the Worker's: the two are two sites. */
const host = "127.0.0.1"

/** From the client to the app, through Clerk's sign-in there, and back to the client: pages and forms only. */
const connect = async (server: Server, email: string) => {
  const browser = new WebBrowser(server.url, server.app ?? "", server.clerk.url)
  const client = await OAuthClient.register(server.mcp)
  const attempt = await client.begin({ scope: "mcp:tools app:use" })
  const consent = await browser.open(attempt.address)
  const signIn = await browser.open(new URL("/authorize", server.url), consentForm(consent))
  assert.strictEqual(signIn.url.pathname, "/sign-in")
  const handedOver = await browser.open(signIn.url, new URLSearchParams({ email }))
  assert.strictEqual(handedOver.url.pathname, "/auth/mcp")
  const [, action = ""] = /<form method="post" action="([^"]+)">/u.exec(handedOver.html) ?? []
  const { access_token } = await client.redeem(attempt, leftFor(await browser.open(action, formOf(handedOver.html))))
  const call = (name: string, parameters: object = {}) =>
    legacy(server.mcp, access_token, "tools/call", { name, arguments: parameters })
  return { browser, call }
}

for (const [index, [name, start]] of Object.entries(exampleApps).entries()) {
  const port = 27_831 + index
  const app = Layer.effectDiscard(
    Effect.flatMap(RunningServer, ({ clerk, url }) => start({ port, host, mcpServerUrl: url, clerk, quiet: true }))
  )
  const running = app.pipe(
    Layer.provideMerge(RunningServer.layerWithApp(`http://${host}:${port}`)),
    Layer.provide(platform)
  )

  layer(running, { excludeTestServices: true, timeout: 120_000 })(`the Worker with the ${name} example`, (it) => {
    it.effect(
      "signs people in through it and calls its API as them, until they sign out there",
      onServer(async (server) => {
        const { browser, call } = await connect(server, "admin@example.com")
        const { email, firstName, id, lastName, role } = server.clerk.users.admin
        const profile = (await call("appProfile")).result?.["structuredContent"]
        assert.deepEqual(profile, { id, email, firstName, lastName, role })
        const page = (await call("appUsers", { limit: 2, offset: 1 })).result?.["structuredContent"]
        const everyone = Object.values(server.clerk.users)
        const users = everyone.slice(1, 3).map((user) => ({ id: user.id }))
        assert.containSubset(page, { total: everyone.length, users })

        await browser.open(new URL("/sign-out", server.app), new URLSearchParams())
        // What an isolate knows of the session is as old as the token that it keeps.
        await server.restart()
        assert.strictEqual((await call("appProfile")).status, 401)
      })
    )
  })
}
