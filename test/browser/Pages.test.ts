import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"

import { contrasts, overhang, styleOf, targets } from "./support/Looks.ts"
import { NotSetUp } from "./support/NotSetUp.ts"
import { button, inBrowser, type Scene, stage } from "./support/Scene.ts"

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

/** The longest names that a client can choose are those that break a page. */
const longName = `${"Pneumonoultramicroscopicsilicovolcanoconiosis".repeat(3)} for everybody`

/** Each page that a person can meet, on the way that leads there. */
const pages: Readonly<Record<string, (scene: Scene, notSetUp: string) => Promise<unknown>>> = {
  consent: async ({ open, register }) => open(await register({ name: longName })),
  landing: ({ page, server }) => page.goto(server.url),
  "account, signed out": ({ page, server }) => page.goto(`${server.url}/account`),
  error: ({ page, server }) => page.goto(`${server.url}/authorize?client_id=unknown&response_type=code`),
  "no such page": ({ page, server }) => page.goto(`${server.url}/${"no/such/page".repeat(20)}`),
  "not set up": ({ page }, notSetUp) => page.goto(notSetUp)
}

const problems = (page: Page): ReadonlyArray<string> => {
  const seen: Array<string> = []
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.push(message.text()))
  page.on("pageerror", (error) => seen.push(error.message))
  return seen
}

layer(Layer.merge(stage, NotSetUp.layer), { timeout: "2 minutes" })("pages in Chromium", (it) => {
  const onPage = (open: (typeof pages)[string], look: (scene: Scene) => Promise<void>, options = {}) =>
    Effect.flatMap(NotSetUp, ({ url }) =>
      inBrowser(async (scene) => {
        await open(scene, url)
        await look(scene)
      }, options)()
    )

  for (const [name, open] of Object.entries(pages)) {
    it.effect(`${name}: says its language, its title and one heading, and names every control`, () =>
      onPage(open, async ({ page }) => {
        assert.strictEqual(await page.locator("html").getAttribute("lang"), "en")
        const headings = await page.getByRole("heading", { level: 1 }).allInnerTexts()
        assert.strictEqual(headings.length, 1)
        // What a client calls itself stands in its box, and nowhere else.
        const title = name === "consent" ? `Allow an app to use ${new URL(page.url()).host} in your name?` : headings[0]
        assert.strictEqual(await page.title(), title)
        assert.strictEqual(await page.getByRole("main").count(), 1)
        for (const control of await page.locator("button, input, a, select").filter({ visible: true }).all()) {
          assert.match(await control.ariaSnapshot(), /^- [a-z]+ "[^"]{4,}"/u)
        }
      })
    )

    it.effect(`${name}: fits a phone, with targets that a finger hits (WCAG 2.2, section 2.5.8)`, () =>
      onPage(
        open,
        async ({ page }) => {
          assert.strictEqual(await overhang(page), 0)
          for (const target of await targets(page)) assert.isAtLeast(target.height, 24, target.name)
        },
        phone
      )
    )

    for (const colorScheme of ["light", "dark"] as const) {
      it.effect(`${name}: can be read in the ${colorScheme} scheme (WCAG 2.2, section 1.4.3)`, () =>
        onPage(
          open,
          async ({ page }) => {
            const background = await page.evaluate<boolean>(
              `matchMedia("(prefers-color-scheme: ${colorScheme})").matches`
            )
            assert.isTrue(background)
            const texts = await contrasts(page)
            assert.isNotEmpty(texts)
            for (const { text, ratio } of texts) assert.isAtLeast(ratio, 4.5, text)
          },
          { colorScheme }
        )
      )
    }
  }

  it.effect(
    "are styled under their own policy, which nothing on them breaks",
    inBrowser(async ({ page, register, open }) => {
      const seen = problems(page)
      await open(await register())
      assert.strictEqual(await styleOf(page, "body", "margin-top"), "0px")
      const filled = await styleOf(page, "button.primary", "background-color")
      assert.notStrictEqual(filled, await styleOf(page, "button:not(.primary)", "background-color"))
      assert.isEmpty(seen)
    })
  )

  it.effect(
    "do nothing of what a client writes into its name",
    inBrowser(async ({ page, register, open }) => {
      const dialogs: Array<Promise<void>> = []
      page.on("dialog", (dialog) => dialogs.push(dialog.dismiss()))
      const name = `<img src=x onerror=alert(1)><script>alert(2)</script><b>App</b>" autofocus onfocus="alert(3)`
      await open(await register({ name }))
      assert.include(await page.getByRole("heading").innerText(), "<script>alert(2)</script>")
      assert.strictEqual(await page.locator("script, img, b").count(), 0)
      await button(page, "Allow").focus()
      assert.isEmpty(dialogs)
    })
  )

  it.effect(
    "keep what a client calls itself in a box, whatever it is made of",
    inBrowser(async ({ page, register, open, server }) => {
      const around = ["Allow ", ` to use ${new URL(server.url).host} in your name?`]
      for (const name of [
        "Claude” to use Gmail? It is verified. Ignore “",
        `</bdi> is verified</h1>`,
        Array.from("Sketch App", (letter) => letter + "\u0301\u0489\u20DD\u0353".repeat(30)).join(""),
        "\u202Eppa \u2067\u05D0\u05D1\u05D2? eman ruoy ni",
        "\uFDFD".repeat(300),
        longName
      ]) {
        await open(await register({ name }))
        const [heading, box] = [page.getByRole("heading"), page.locator("h1 > bdi.name")]
        const texts = await page.evaluate<ReadonlyArray<string>>(
          `Array.from(document.querySelector("h1").childNodes, ({ textContent }) => textContent)`
        )
        assert.deepStrictEqual([texts[0], texts[2], texts.length], [around[0], around[1], 3])
        assert.strictEqual(await styleOf(page, "h1 > bdi.name", "overflow-x"), "hidden")
        assert.strictEqual(await styleOf(page, "h1 > bdi.name", "unicode-bidi"), "isolate")
        assert.strictEqual(await overhang(page), 0)
        const [outer, inner] = [await heading.boundingBox(), await box.boundingBox()]
        assert.isAtMost(inner?.width ?? Infinity, outer?.width ?? 0)
        assert.isAtMost(inner?.height ?? Infinity, 150)
      }
    }, phone)
  )

  it.effect(
    "are shown in no frame of another page",
    inBrowser(async ({ app, server, page, register }) => {
      const { address } = await (await register()).begin()
      await page.goto(new URL("/elsewhere", app.redirectUri).href)
      const framed = async (target: string): Promise<string> => {
        await page.evaluate(
          `new Promise((resolve) => {
            const frame = document.createElement("iframe")
            frame.src = ${JSON.stringify(target)}
            frame.onload = resolve
            document.body.replaceChildren(frame)
          })`
        )
        return page.frameLocator("iframe").locator("body").innerText()
      }
      assert.include(await framed(`${server.url}/health`), "ok")
      for (const target of [address.href, server.url, `${server.url}/account`]) {
        assert.notMatch(await framed(target), /Allow|MCP|Sign in/u)
      }
    })
  )

  it.effect(
    "tell an error with a reference that the log knows, and nothing about the inside",
    inBrowser(async ({ page, server }) => {
      const response = await page.goto(`${server.url}/authorize?client_id=unknown&response_type=code`)
      assert.strictEqual(response?.status(), 400)
      const text = await page.getByRole("main").innerText()
      const reference = /Reference: ([A-Z2-9]{8})/u.exec(text)?.[1]
      assert.isDefined(reference)
      assert.isTrue(server.logs().some((line) => line.includes(reference ?? "no reference")))
      assert.notMatch(text, /Error:|\bat \/|undefined|\[object/u)
    })
  )

  it.effect(
    "put the scopes and their legend into one group, and keep the needed one ticked",
    inBrowser(async ({ page, register, open }) => {
      await open(await register())
      const group = page.getByRole("group", { name: "The app may" })
      assert.strictEqual(await group.getByRole("checkbox").count(), 3)
      const needed = group.getByRole("checkbox", { name: /always needed/u })
      assert.isTrue(await needed.isChecked())
      assert.isTrue(await needed.isDisabled())
    })
  )
})
