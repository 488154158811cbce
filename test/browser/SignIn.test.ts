import { assert, layer } from "@effect/vitest"
import type { Page } from "playwright-core"

import { styleOf } from "./support/Looks.ts"
import { atDistance, backInApp, button, pressTwice, imagesScope, inBrowser, signInAs, stage } from "./support/Scene.ts"

const heading = "Allow Sketch App to use "

layer(stage, { timeout: "2 minutes" })("a person connects an app in Chromium", (it) => {
  it.effect(
    "allows it, signs in, and the app's code is good for a token",
    inBrowser(async (scene) => {
      const { page, register, open, server } = scene
      const client = await register({ name: "Sketch App" })
      const attempt = await open(client)
      assert.include(await page.getByRole("heading", { level: 1 }).textContent(), heading)
      await button(page, "Allow").click()
      await signInAs(page, "admin@example.com")
      const back = await backInApp(scene)
      assert.strictEqual(back.searchParams.get("iss"), server.url)
      const tokens = await client.redeem(attempt, back)
      assert.strictEqual(tokens.scope, "mcp:tools")
    })
  )

  it.effect(
    "does not decide by the second click of a double-click that began on another page",
    inBrowser(async ({ page, register, open }) => {
      await open(await register())
      /** What a click on the button would hit, so long after the page was there. */
      const hit = (milliseconds: number) =>
        page.evaluate<boolean>(`
          const button = document.querySelector("button.primary")
          // It may have run to its end before this does.
          button.style.animation = "none"
          void button.offsetWidth
          button.style.animation = ""
          for (const animation of button.getAnimations()) {
            animation.pause()
            animation.currentTime = ${milliseconds}
          }
          const { x, y, width, height } = button.getBoundingClientRect()
          document.elementFromPoint(x + width / 2, y + height / 2) === button
        `)
      assert.deepStrictEqual([await hit(0), await hit(500), await hit(700)], [false, false, true])
    })
  )

  it.effect(
    "denies it, and the app learns access_denied without a sign-in",
    inBrowser(async (scene) => {
      const { page, register, open, server } = scene
      const attempt = await open(await register())
      await button(page, "Deny").click()
      const back = await backInApp(scene)
      assert.strictEqual(back.searchParams.get("error"), "access_denied")
      assert.strictEqual(back.searchParams.get("state"), attempt.state)
      assert.strictEqual(back.searchParams.get("iss"), server.url)
      assert.isFalse(back.searchParams.has("code"))
    })
  )

  for (const [decision, millis] of [
    ["Allow", 120],
    ["Allow", 250],
    ["Deny", 120]
  ] as const) {
    it.effect(
      `presses ${decision} again after ${millis} ms, far from the server, and it counts once`,
      inBrowser(async (scene) => {
        const { page, register, open } = scene
        const client = await register()
        const attempt = await open(client)
        // Buttons take no click at first.
        await page.waitForTimeout(800)
        await atDistance(page, 150)
        const posts: Array<number> = []
        const locations = new Set<string | undefined>()
        page.on("response", (response) => {
          if (response.request().method() !== "POST" || !response.url().endsWith("/authorize")) return
          posts.push(response.status())
          locations.add(response.headers()["location"])
        })
        await pressTwice(page, decision, millis)
        if (decision === "Allow") await signInAs(page, "admin@example.com")
        const back = await backInApp(scene)
        assert.isAtLeast(posts.length, 1)
        assert.deepStrictEqual([...new Set(posts)], [302])
        assert.strictEqual(locations.size, 1)
        if (decision === "Deny") assert.strictEqual(back.searchParams.get("error"), "access_denied")
        else assert.isNotEmpty((await client.redeem(attempt, back)).access_token)
      })
    )
  }

  for (const redirectUri of [
    "http://localhost:41000/callback",
    "http://[::1]:41000/callback",
    "https://client.example/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback"
  ]) {
    it.effect(
      `is sent on by the consent form to ${redirectUri}, with a code as with a refusal`,
      inBrowser(async ({ context, register }) => {
        const client = await register({ redirectUris: [redirectUri] })
        const blocked: Array<string> = []
        /** Where a person is sent in the end, whether anything listens there or not. */
        const sentTo = async (press: (page: Page) => Promise<unknown>) => {
          const page = await context.newPage()
          page.on("console", (message) => blocked.push(message.text()))
          await page.goto((await client.begin()).address.href)
          const [left] = await Promise.all([
            page.waitForEvent("response", (response) => (response.headers()["location"] ?? "").startsWith(redirectUri)),
            press(page)
          ])
          // What a policy forbids, Chromium says at once.
          await page.waitForTimeout(300)
          return new URL(left.headers()["location"] ?? "").searchParams
        }
        const first = await sentTo(async (page) => {
          await button(page, "Allow").click()
          await signInAs(page, "member@example.com")
        })
        assert.isTrue(first.has("code"))
        const refused = await sentTo((page) => button(page, "Deny").click())
        assert.strictEqual(refused.get("error"), "access_denied")
        assert.notMatch(blocked.join("\n"), /Content Security Policy/u)
      })
    )
  }

  it.effect(
    "is not asked again where they said so, and keeps the scope that they ticked beyond what the app asked for",
    inBrowser(async (scene) => {
      const { page, register, open, app, server } = scene
      const client = await register()
      await open(client)
      assert.isFalse(await imagesScope(page).isChecked())
      await imagesScope(page).check()
      await page.getByRole("checkbox", { name: /Do not ask again/u }).check()
      await button(page, "Allow").click()
      await signInAs(page, "artist@example.com")
      await backInApp(scene)

      await server.admin((admin) => admin.forgetRequests)
      const attempt = await client.begin()
      const response = await page.goto(attempt.address.href)
      // Clerk may ask who it is, this server does not ask for consent.
      if (response?.url().startsWith(server.clerk.url)) await signInAs(page, "artist@example.com")
      const back = await backInApp(scene)
      assert.strictEqual(app.arrivals.length, 2)
      const tokens = await client.redeem(attempt, back)
      assert.strictEqual(tokens.scope, "mcp:tools paint:use")
    })
  )

  it.effect(
    "is asked again by default, and for another app",
    inBrowser(async (scene) => {
      const { page, register, open } = scene
      const client = await register()
      await open(client)
      await button(page, "Allow").click()
      await signInAs(page, "member@example.com")
      await backInApp(scene)
      for (const next of [client, await register()]) {
        await open(next)
        assert.isTrue(await button(page, "Allow").isVisible())
      }
    })
  )

  it.effect(
    "mistypes the e-mail address, is told so, and goes on",
    inBrowser(async (scene) => {
      const { page, register, open } = scene
      const client = await register()
      const attempt = await open(client)
      await button(page, "Allow").click()
      await signInAs(page, "nobody@example.com")
      assert.include(await page.getByRole("alert").textContent(), "No account has this e-mail address")
      await signInAs(page, "member@example.com")
      assert.isNotEmpty((await client.redeem(attempt, await backInApp(scene))).access_token)
    })
  )

  it.effect(
    "gives up at the sign-in, and the app learns access_denied",
    inBrowser(async (scene) => {
      const { page, register, open } = scene
      const attempt = await open(await register())
      await button(page, "Allow").click()
      await button(page, "Cancel").click()
      const back = await backInApp(scene)
      assert.strictEqual(back.searchParams.get("error"), "access_denied")
      assert.strictEqual(back.searchParams.get("state"), attempt.state)
    })
  )

  it.effect(
    "uses the keyboard only",
    inBrowser(async (scene) => {
      const { page, register, open } = scene
      const client = await register()
      const attempt = await open(client)
      const reached: Array<string> = []
      for (let presses = 0; presses < 6 && reached.at(-1) !== "Allow"; presses++) {
        await page.keyboard.press("Tab")
        const focused = page.locator(":focus")
        reached.push((await focused.getAttribute("name")) === "decision" ? await focused.innerText() : "checkbox")
        if (reached.length === 1) await page.keyboard.press("Space")
        assert.strictEqual(await styleOf(page, ":focus", "outline-style"), "solid")
      }
      assert.deepStrictEqual(reached, ["checkbox", "checkbox", "checkbox", "Allow"])
      await page.keyboard.press("Enter")
      // The stand-in puts the cursor into its one field.
      await page.getByLabel("E-mail address").waitFor()
      await page.keyboard.type("admin@example.com")
      await page.keyboard.press("Enter")
      const tokens = await client.redeem(attempt, await backInApp(scene))
      assert.strictEqual(tokens.scope, "mcp:tools paint:use")
    })
  )

  it.effect(
    "presses Enter in a field, which decides nothing, goes back, and allows it",
    inBrowser(async (scene) => {
      const { page, register, open } = scene
      const client = await register()
      const attempt = await open(client)
      await imagesScope(page).focus()
      await page.keyboard.press("Enter")
      await page.getByText("Neither Allow nor Deny was pressed").waitFor()
      await page.goBack()
      await button(page, "Allow").click()
      await signInAs(page, "admin@example.com")
      const tokens = await client.redeem(attempt, await backInApp(scene))
      assert.strictEqual(tokens.scope, "mcp:tools")
    })
  )

  it.effect(
    "has switched JavaScript off",
    inBrowser(
      async (scene) => {
        const { page, register, open } = scene
        const client = await register()
        const attempt = await open(client)
        await imagesScope(page).check()
        await button(page, "Allow").click()
        await signInAs(page, "premium@example.com")
        const tokens = await client.redeem(attempt, await backInApp(scene))
        assert.strictEqual(tokens.scope, "mcp:tools paint:use")
      },
      { javaScriptEnabled: false }
    )
  )

  it.effect(
    "goes back from the sign-in, ticks another box, and allows it anew",
    inBrowser(async (scene) => {
      const { page, register, open } = scene
      const client = await register()
      const attempt = await open(client)
      await button(page, "Allow").click()
      await page.getByLabel("E-mail address").waitFor()
      await page.goBack()
      await imagesScope(page).check()
      await button(page, "Allow").click()
      await signInAs(page, "admin@example.com")
      const tokens = await client.redeem(attempt, await backInApp(scene))
      assert.strictEqual(tokens.scope, "mcp:tools paint:use")
    })
  )

  it.effect(
    "opens the last address again: the app gets the same code, and in another browser it leads nowhere",
    inBrowser(async (scene) => {
      const { page, register, open, app, server, stranger } = scene
      await open(await register())
      await button(page, "Allow").click()
      const callback = page.waitForRequest((request) => request.url().startsWith(`${server.url}/callback`))
      await signInAs(page, "admin@example.com")
      await backInApp(scene)
      const address = (await callback).url()
      await page.goto(address)
      await backInApp(scene)
      const other = await stranger()
      await other.goto(address)
      assert.include(await other.getByRole("main").innerText(), "connect again")
      assert.strictEqual(app.arrivals.length, 2)
      assert.strictEqual(app.arrivals[0]?.href, app.arrivals[1]?.href)
    })
  )
})
