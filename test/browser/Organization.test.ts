import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { contrasts, overhang, targets } from "./support/Looks.ts"
import { backInApp, button, inBrowser, type Scene, signInAs, stage } from "./support/Scene.ts"

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

/** A page that is open at the choice, of somebody in two organizations. */
const atChoice = async ({ server, page, register, open }: Scene) => {
  const email = "premium@example.com"
  await server.admin((admin) => Effect.andThen(admin.reset, admin.setOrganizations(email, [[], []])))
  await server.restart()
  await open(await register({ name: `${"Pneumonoultramicroscopicsilicovolcanoconiosis".repeat(3)} for everybody` }))
  await button(page, "Allow").click({ delay: 10 })
  await signInAs(page, email)
  await page.getByRole("heading", { name: "Which organization is the app for?" }).waitFor()
}

layer(stage, { timeout: "2 minutes" })("the choice of an organization in Chromium", (it) => {
  for (const colorScheme of ["light", "dark"] as const) {
    it.effect(
      `fits a phone and can be read in the ${colorScheme} scheme`,
      inBrowser(
        async (scene) => {
          await atChoice(scene)
          const { page } = scene
          assert.strictEqual(await overhang(page), 0)
          for (const target of await targets(page)) assert.isAtLeast(target.height, 24, target.name)
          for (const { text, ratio } of await contrasts(page)) assert.isAtLeast(ratio, 4.5, text)
          for (const control of await page.locator("button, input").filter({ visible: true }).all()) {
            assert.match(await control.ariaSnapshot(), /^- [a-z]+ "[^"]{4,}"/u)
          }
        },
        { ...phone, colorScheme }
      )
    )
  }

  it.effect(
    "shows the account, and puts the organizations and the personal account into one group",
    inBrowser(async (scene) => {
      await atChoice(scene)
      const { page } = scene
      assert.include(await page.getByRole("main").innerText(), "premium@example.com")
      const group = page.getByRole("group", { name: "Connect the app for" })
      const names = await page.evaluate<ReadonlyArray<string>>(
        `Array.from(document.querySelectorAll("fieldset input"), (radio) => radio.labels[0].innerText)`
      )
      assert.strictEqual(await group.getByRole("radio").count(), 3)
      assert.lengthOf(names, 3)
      assert.match(names[0] ?? "", /^Organization 0\s+as member/u)
      assert.match(names[2] ?? "", /^Your personal account/u)
      assert.isTrue(await group.getByRole("radio").first().isChecked())
    })
  )

  it.effect(
    "works with a keyboard alone, Enter being Continue",
    inBrowser(async (scene) => {
      await atChoice(scene)
      const { page } = scene
      await page.getByRole("radio").first().focus()
      await page.keyboard.press("ArrowDown")
      assert.isTrue(await page.getByRole("radio").nth(1).isChecked())
      await page.keyboard.press("Enter")
      assert.isTrue((await backInApp(scene)).searchParams.has("code"))
    })
  )

  it.effect(
    "leads back to the app with what was pressed",
    inBrowser(async (scene) => {
      for (const [name, parameter] of [
        ["Continue", "code"],
        ["Cancel", "error"]
      ] as const) {
        await atChoice(scene)
        await button(scene.page, name).click()
        assert.isTrue((await backInApp(scene)).searchParams.has(parameter), name)
        await scene.page.goto("about:blank")
        await scene.context.clearCookies()
      }
    })
  )

  it.effect(
    "leads to the sign-in for another account, who has one organization and sees no page more",
    inBrowser(async (scene) => {
      await atChoice(scene)
      await button(scene.page, "Use another account").click()
      await signInAs(scene.page, "admin@example.com")
      assert.isTrue((await backInApp(scene)).searchParams.has("code"))
    })
  )

  for (const email of ["admin@example.com", "member@example.com"]) {
    it.effect(
      `is no page for ${email}: consent, sign-in, and back in the app`,
      inBrowser(async (scene) => {
        const { page, server } = scene
        await server.admin((admin) => admin.reset)
        const pages: Array<string> = []
        page.on("response", (response) => {
          if (response.request().isNavigationRequest() && response.status() === 200) {
            pages.push(new URL(response.url()).origin)
          }
        })
        await scene.open(await scene.register())
        await button(page, "Allow").click()
        await signInAs(page, email)
        const back = await backInApp(scene)
        await page.getByText("Back in the app").waitFor()
        assert.deepStrictEqual(pages, [server.url, server.clerk.url, back.origin])
      })
    )
  }
})
