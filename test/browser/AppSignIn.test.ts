import { assert, layer } from "@effect/vitest"
import * as Layer from "effect/Layer"

import { redirectUri } from "../support/OAuthClient.ts"
import { type Connected, connectV1, connectV2, Login } from "../support/SdkClients.ts"
import { serverAndApp } from "../support/ServerAndApp.ts"
import { legacy } from "../support/Wire.ts"
import { Chromium } from "./support/Chromium.ts"
import { atDistance, backInApp, button, inBrowser, pressTwice, type Scene, signInAs } from "./support/Scene.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const appScope = { name: /Read in the app/u }

/**
 * Somebody who does in Chromium what an MCP client's sign-in asks for. `email`: whom the app's sign-in page has to be
 * told; without it, the person is known there already.
 */
const inChromium = ({ page, server }: Scene, email?: string) => ({
  authorize: async (address: URL) => {
    const back = page.waitForRequest(`${redirectUri}?*`)
    await page.route(`${redirectUri}?*`, (route) => route.fulfill({ body: "Back in the client" }))
    await page.goto(address.href)
    await page.getByRole("checkbox", appScope).check()
    await button(page, "Allow").click()
    if (email !== undefined) {
      await page.waitForURL(`${server.clerk.url}/sign-in*`)
      await signInAs(page, email)
    }
    return new URL((await back).url())
  }
})

const profile = async (client: Connected) => (await client.call("appProfile", {})).structuredContent

const tokenOf = ({ login }: Connected) => login.tokens()?.access_token ?? ""

/** The newest session of a user. */
const sessionOf = async ({ server }: Scene, email: string) => {
  const [session] = await server.admin((admin) => admin.sessionsOf(email))
  return session?.id ?? ""
}

layer(Layer.merge(serverAndApp, Chromium.layer), { timeout: "3 minutes" })(
  "sign-in through the app, in Chromium",
  (it) => {
    it.effect(
      "clients sign in there and read the app's API as that person; a second one needs consent only",
      inBrowser(async (scene) => {
        const { page, server } = scene
        const addresses: Array<string> = []
        page.on("request", (request) => addresses.push(request.url()))
        const first = await connectV1(server.mcp, new Login(inChromium(scene, "admin@example.com")))
        assert.deepInclude(await profile(first), { email: "admin@example.com", firstName: "Ada", role: "admin" })
        const second = await connectV2("auto")(server.mcp, new Login(inChromium(scene)))
        const users = await second.call("appUsers", { limit: 100, offset: 0 })
        assert.isNotOk(users.isError, JSON.stringify(users.content))
        assert.deepInclude(users.structuredContent, { total: Object.keys(server.clerk.users).length })
        await Promise.all([first.close(), second.close()])
        assert.isAbove(addresses.length, 10)
        assert.notInclude(addresses.join("\n"), "session_token")
        // The server's own `state` is a JWS as well, which it signs with a secret of its own (HS256); Clerk's tokens are RS256.
        for (const [, header = ""] of addresses.join("\n").matchAll(/(eyJ[\w-]+)\.eyJ/gu)) {
          assert.include(Buffer.from(header, "base64url").toString(), '"alg":"HS256"')
        }
      })
    )

    it.effect(
      "tools go on when the first token has expired, and the client signs in again when the session has ended",
      inBrowser(async (scene) => {
        const { server } = scene
        await server.admin((admin) => admin.setTokenLifetimes({ templateSeconds: 2 }))
        const client = await connectV1(server.mcp, new Login(inChromium(scene, "premium@example.com")))
        assert.deepInclude(await profile(client), { role: "premium" })
        const session = await sessionOf(scene, "premium@example.com")
        const early = await fetch(`${server.clerk.url}/v1/sessions/${session}/tokens/mcp-server`, {
          method: "POST",
          headers: { authorization: `Bearer ${server.clerk.settings.CLERK_SECRET_KEY}` }
        })
        const { jwt } = await early.json<{ readonly jwt: string }>()
        const me = () => fetch(`${server.app}/api/me`, { headers: { authorization: `Bearer ${jwt}` } })
        assert.strictEqual((await me()).status, 200)
        // Clerk's SDK forgives clocks that are 5 s apart.
        await pause(8_000)
        assert.strictEqual((await me()).status, 401)
        assert.deepInclude(await profile(client), { role: "premium" })

        // By itself, it would sign in again in the same window once its stream ends.
        await client.close()
        await server.admin((admin) => admin.endSession(session))
        await pause(1_500)
        const refused = await legacy(server.mcp, tokenOf(client), "tools/call", { name: "appProfile", arguments: {} })
        assert.strictEqual(refused.status, 401)
        const again = await connectV1(server.mcp, new Login(inChromium(scene, "premium@example.com")))
        assert.deepInclude(await profile(again), { role: "premium" })
        await server.admin((admin) => admin.setTokenLifetimes({ templateSeconds: 60 }))
        await again.close()
      })
    )

    it.effect(
      "works without script: the app's page has a button",
      inBrowser(
        async (scene) => {
          const { page, register, open } = scene
          const client = await register()
          const attempt = await open(client)
          await button(page, "Allow").click()
          await signInAs(page, "member@example.com")
          await button(page, "Continue").click()
          await page.waitForURL(`${scene.app.redirectUri}?*`)
          const back = scene.app.arrivals.at(-1)
          assert.isNotEmpty((await client.redeem(attempt, back ?? new URL(scene.server.url))).access_token)
        },
        { javaScriptEnabled: false }
      )
    )

    for (const millis of [120, 400]) {
      it.effect(
        `presses the button of the app's page again after ${millis} ms, far from the server, and it counts once`,
        inBrowser(
          async (scene) => {
            const { page, register, open } = scene
            const client = await register()
            const attempt = await open(client)
            await button(page, "Allow").click()
            await signInAs(page, "member@example.com")
            await button(page, "Continue").waitFor()
            await atDistance(page, 150)
            await pressTwice(page, "Continue", millis)
            const back = await backInApp(scene)
            const codes = new Set(scene.app.arrivals.map(({ searchParams }) => searchParams.get("code")))
            assert.strictEqual(codes.size, 1)
            assert.isNotEmpty((await client.redeem(attempt, back)).access_token)
          },
          { javaScriptEnabled: false }
        )
      )
    }

    it.effect(
      "a link with somebody else's state, opened by a visitor who is signed in, leads nowhere",
      inBrowser(async (scene) => {
        const { page, register, open, server } = scene
        await open(await register())
        await button(page, "Allow").click()
        await signInAs(page, "admin@example.com")
        await page.waitForURL(`${scene.app.redirectUri}?*`)

        const attacker = await scene.stranger()
        const attempt = await (await register()).begin()
        await attacker.goto(attempt.address.href)
        const sent = attacker.waitForRequest(`${server.app}/auth/mcp?*`)
        await button(attacker, "Allow").click()
        const link = (await sent).url()

        const arrivals = scene.app.arrivals.length
        await page.goto(link)
        await page.getByRole("heading", { name: "This request cannot be continued" }).waitFor()
        assert.lengthOf(scene.app.arrivals, arrivals)
      })
    )

    it.effect(
      "a form on another site is refused",
      inBrowser(async ({ page, app, server }) => {
        await page.goto(app.redirectUri)
        await page.setContent(
          `<form method="post" action="${server.url}/callback"><input name="state" value="x"><input name="session_token" value="a.b.c"><button>Win</button></form>`
        )
        await button(page, "Win").click()
        await page.getByText("was not sent by").waitFor()
      })
    )
  }
)
