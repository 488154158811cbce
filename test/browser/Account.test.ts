import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../support/OAuthClient.ts"
import { opened, within } from "../support/OpenSession.ts"
import type { Server, UserGrant } from "../support/RunningServer.ts"
import { legacy } from "../support/Wire.ts"
import { contrasts, overhang, targets } from "./support/Looks.ts"
import { button, inBrowser, type Scene, signInAs, stage } from "./support/Scene.ts"

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

/** Somebody with two clients connected. */
const twoClients = async (server: Server, email: string) => {
  await server.admin((admin) => admin.reset)
  for (const { id } of Object.values(server.clerk.users)) await (await server.object(id)).clear()
  await server.restart()
  const connect = async (name: string) => {
    const client = await OAuthClient.register(server.mcp, { name })
    return server.signIn(email, { client })
  }
  return [await connect("The first app"), await connect("The second app")] as const
}

const statusOf = async (server: Server, { accessToken }: UserGrant) =>
  (await legacy(server.mcp, accessToken, "tools/list")).status

/** Opens the page and signs in to it. */
const open = async ({ server, page }: Pick<Scene, "server" | "page">, email: string) => {
  await page.goto(`${server.url}/account`)
  await button(page, "Sign in").click({ delay: 10 })
  await signInAs(page, email)
  await page.waitForURL(`${server.url}/account`)
}

layer(stage, { timeout: "2 minutes" })("the account page in Chromium", (it) => {
  it.effect(
    "ends one connection, without script: its next call is refused and it can sign in again, and the other works on",
    inBrowser(
      async (scene) => {
        const { server, page } = scene
        const [first, second] = await twoClients(server, "member@example.com")
        await open(scene, "member@example.com")
        assert.include(await page.getByRole("main").innerText(), "member@example.com")
        await button(page, "End this connection The first app").click({ delay: 10 })
        await button(page, "End this connection The first app").waitFor({ state: "detached" })
        assert.strictEqual(await statusOf(server, first), 401)
        assert.strictEqual(await statusOf(server, second), 200)
        const again = await server.signIn("member@example.com", { client: first.client })
        assert.strictEqual(await statusOf(server, again), 200)
      },
      { javaScriptEnabled: false }
    )
  )

  it.effect(
    "lets an operator find somebody and sign them out, which that person sees",
    inBrowser(async (scene) => {
      const { server, page, stranger } = scene
      const [first, second] = await twoClients(server, "member@example.com")
      await open(scene, "admin@example.com")
      await page.getByLabel("Find somebody").fill("member@example.com")
      await button(page, "Find").click({ delay: 10 })
      await page.getByRole("heading", { name: "Connected apps of a person" }).waitFor()
      assert.notInclude(page.url(), "member")
      await button(page, "End all connections").click({ delay: 10 })
      await button(page, "End all connections").waitFor({ state: "detached" })
      assert.strictEqual(await statusOf(server, first), 401)
      assert.strictEqual(await statusOf(server, second), 401)
      const theirs = await stranger()
      await open({ server, page: theirs }, "member@example.com")
      assert.include(await theirs.getByRole("main").innerText(), "connection ended by an operator")
    })
  )

  for (const colorScheme of ["light", "dark"] as const) {
    it.effect(
      `fits a phone, and can be read in the ${colorScheme} scheme`,
      inBrowser(
        async (scene) => {
          const { server, page } = scene
          await twoClients(server, "admin@example.com")
          await open(scene, "admin@example.com")
          assert.strictEqual(await overhang(page), 0)
          for (const target of await targets(page)) assert.isAtLeast(target.height, 24, target.name)
          for (const { text, ratio } of await contrasts(page)) assert.isAtLeast(ratio, 4.5, text)
        },
        { ...phone, colorScheme }
      )
    )
  }

  it.effect(
    "shows an operator somebody's connections on a phone, with every control named by what it does",
    inBrowser(async (scene) => {
      const { server, page } = scene
      const [first] = await twoClients(server, "member@example.com")
      const session = await opened(server, first.accessToken)
      await open(scene, "admin@example.com")
      await page.getByLabel("Find somebody").fill(server.clerk.users.member.id)
      await button(page, "Find").click({ delay: 10 })
      await page.getByRole("heading", { name: "Connected apps of a person" }).waitFor()
      const text = await page.getByRole("main").innerText()
      assert.match(text, /The first app[\s\S]*Open sessions\s+1/u)
      assert.match(text, /The second app[\s\S]*Open sessions\s+0/u)
      assert.include(text, "an operator looked at this page")
      await page.getByLabel("Name of the tool, resource or prompt").fill("paint")
      await button(page, "Explain").click({ delay: 10 })
      assert.include(await page.getByRole("status").innerText(), "may not use paint")
      assert.strictEqual(await overhang(page), 0)
      for (const target of await targets(page)) assert.isAtLeast(target.height, 24, target.name)
      for (const { text, ratio } of await contrasts(page)) assert.isAtLeast(ratio, 4.5, text)
      const names = await Promise.all(
        (await page.locator("button, input, select").filter({ visible: true }).all()).map((control) =>
          control.ariaSnapshot()
        )
      )
      for (const name of names) assert.match(name, /^- [a-z]+ "[^"]{4,}"/u)
      assert.lengthOf(new Set(names), names.length)
      await button(page, "End this connection The first app").click({ delay: 10 })
      await button(page, "End this connection The first app").waitFor({ state: "detached" })
      assert.isTrue(await within(1_000, () => !session.state.open))
    }, phone)
  )

  it.effect(
    "is found from the server's first page, signs out, and asks anew for another account",
    inBrowser(async (scene) => {
      const { server, page } = scene
      await page.goto(server.url)
      await page.getByRole("link", { name: /apps you have connected/u }).click()
      await button(page, "Sign in").click({ delay: 10 })
      await signInAs(page, "member@example.com")
      await button(page, "Sign out of this page").click({ delay: 10 })
      await button(page, "Use another account").click({ delay: 10 })
      await signInAs(page, "premium@example.com")
      assert.include(await page.getByRole("main").innerText(), "premium@example.com")
    })
  )

  it.effect(
    "can be used with a keyboard alone",
    inBrowser(
      async (scene) => {
        const { server, page } = scene
        const [first] = await twoClients(server, "member@example.com")
        await open(scene, "member@example.com")
        const wanted = button(page, "End this connection The first app")
        for (let tabs = 0; tabs < 20; tabs++) {
          await page.keyboard.press("Tab")
          if ((await page.locator(":focus").getAttribute("id")) === (await wanted.getAttribute("id"))) break
        }
        await page.keyboard.press("Enter")
        await wanted.waitFor({ state: "detached" })
        assert.strictEqual(await statusOf(server, first), 401)
      },
      { viewport: { width: 360, height: 740 } }
    )
  )
})
