import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type { Page } from "playwright-core"

import { answerFailure } from "../../src/server/http/AuthorizationAnswer.ts"
import { AuthorizationFailure } from "../../src/server/oauth/AuthorizationFailure.ts"
import { authorizationReasons } from "../support/AuthorizationReasons.ts"
import { barriers, controls, tabStops } from "./support/Axe.ts"
import { overhang } from "./support/Looks.ts"
import { NotSetUp } from "./support/NotSetUp.ts"
import { button, inBrowser, type Scene, signInAs, stage } from "./support/Scene.ts"

const widths = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 800 } }

/** Signs in to the account page, where two apps are connected. */
const account = async ({ server, page }: Scene, email: string) => {
  for (const name of ["The first app", "The second app"]) await server.signIn("member@example.com", { name })
  await page.goto(`${server.url}/account`)
  await button(page, "Sign in").click({ delay: 10 })
  await signInAs(page, email)
  await page.waitForURL(`${server.url}/account`)
}

const pages: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  "the landing page": async ({ page, server }) => {
    await page.goto(server.url)
    await page.evaluate(`for (const details of document.querySelectorAll("details")) details.open = true`)
  },
  "the account page, signed out": ({ page, server }) => page.goto(`${server.url}/account`),
  "the account page": (scene) => account(scene, "member@example.com"),
  "the account page of an operator": (scene) => account(scene, "admin@example.com"),
  consent: async ({ open, register }) => open(await register())
}

/** A form of another site, which makes the browser post it. */
const posted = async ({ app, page }: Scene, address: string, origin?: string) => {
  await page.goto(origin ?? new URL("/elsewhere", app.redirectUri).href)
  await page.setContent(`<form method="post" action="${address}"><button>Send</button></form>`)
  await Promise.all([page.waitForURL(address), page.getByRole("button").click()])
}

/** Pages that tell what went wrong, on the way that leads there. */
const errorPages: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  "an unknown app": ({ page, server }) => page.goto(`${server.url}/authorize?client_id=x&response_type=code`),
  "no such page": ({ page, server }) => page.goto(`${server.url}/nowhere`),
  "a callback without a sign-in": ({ page, server }) => page.goto(`${server.url}/callback?state=made-up&code=x`),
  "nothing to choose": ({ page, server }) => page.goto(`${server.url}/organization`),
  "a form of another site": (scene) => posted(scene, `${scene.server.url}/account/sign-in`),
  "a form without a token": (scene) => posted(scene, `${scene.server.url}/account/end`)
}

/** What somebody can do next begins with one of these. */
const nextStep =
  /(?:^|[.:] |, |\n)(?:Go back|Open|Load|Wait|Please try|Try|Ask|ask|Check|Connect|connect|Update|Sign in|sign in|Tell|Set|Correct)\b/u

const usable = async (page: Page) => {
  assert.deepStrictEqual(await barriers(page), [])
  assert.strictEqual(await overhang(page), 0)
}

const tellsWhatToDo = async (page: Page) => {
  const text = await page.locator("main > p:not(:has(small)), main > p:has(code)").allInnerTexts()
  assert.match(text.filter((each) => !each.startsWith("What this server is")).join("\n"), nextStep)
  assert.include(await page.locator("footer").innerText(), "Do you need help?")
  assert.isNotEmpty(await page.locator("header").innerText())
}

layer(Layer.merge(stage, NotSetUp.layer), { timeout: "2 minutes" })("pages for everybody", (it) => {
  it.effect(
    "the landing page folds a client open with a keyboard alone, without script, and one click selects what to copy",
    inBrowser(
      async ({ page, server }) => {
        await page.goto(server.url)
        const cursor = page.locator("details", { hasText: "Cursor" }).first()
        assert.isFalse(await cursor.getByRole("link").isVisible())
        do await page.keyboard.press("Tab")
        while ((await page.locator(":focus").innerText()) !== "Cursor")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert.strictEqual(await page.locator(":focus").innerText(), "Add to Cursor")
        await page.locator(".copy code").first().click()
        assert.strictEqual(await page.evaluate<string>("String(getSelection())"), server.mcp)
      },
      { javaScriptEnabled: false, viewport: widths.phone }
    )
  )

  for (const [device, viewport] of Object.entries(widths)) {
    for (const [name, open] of Object.entries(pages)) {
      it.effect(
        `${name} keeps nobody out, on a ${device}`,
        inBrowser(
          async (scene) => {
            await open(scene)
            await usable(scene.page)
            const stops = await tabStops(scene.page)
            assert.deepStrictEqual(
              stops.filter(({ visible }) => !visible),
              []
            )
            assert.strictEqual(new Set(stops.map(({ element }) => element)).size, stops.length)
            assert.lengthOf(stops, await controls(scene.page))
          },
          { viewport }
        )
      )
    }

    for (const [name, open] of Object.entries(errorPages)) {
      it.effect(
        `the page about ${name} keeps nobody out and says what to do, on a ${device}`,
        inBrowser(
          async (scene) => {
            await open(scene)
            await usable(scene.page)
            await tellsWhatToDo(scene.page)
            await scene.page.keyboard.press("Tab")
            await scene.page.keyboard.press("Enter")
            await scene.page.getByRole("heading", { level: 1, name: /^Connect .* to your AI app$/u }).waitFor()
          },
          { viewport }
        )
      )
    }

    it.effect(`a server that is not set up says what to set, on a ${device}`, () =>
      Effect.flatMap(NotSetUp, ({ url }) =>
        inBrowser(
          async ({ page }) => {
            await page.goto(url)
            await usable(page)
            await tellsWhatToDo(page)
          },
          { viewport }
        )()
      )
    )
  }

  it.effect(
    "the page about every failed authorization keeps nobody out and says what to do",
    inBrowser(async ({ page, server }) => {
      for (const [reason] of authorizationReasons) {
        for (const at of [{}, { atAccount: true as const }]) {
          const answer = HttpServerResponse.toWeb(
            await Effect.runPromise(
              Effect.provideService(
                answerFailure(new AuthorizationFailure({ reason, ...at })),
                References.MinimumLogLevel,
                "None"
              )
            )
          )
          const body = await answer.text()
          const [status, headers] = [answer.status, Object.fromEntries(answer.headers)]
          await page.route("**/failed", (route) => route.fulfill({ status, headers, body }))
          await page.goto(`${server.url}/failed`)
          for (const viewport of Object.values(widths)) {
            await page.setViewportSize(viewport)
            await usable(page)
          }
          const text = await page.locator("main > p").first().innerText()
          assert.match(text, nextStep, `${reason._tag}: ${text}`)
          await page.unroute("**/failed")
        }
      }
    }),
    180_000
  )
})
