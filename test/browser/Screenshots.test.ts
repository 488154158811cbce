import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import process from "node:process"
import type { Browser } from "playwright-core"

import { testServer } from "../../src/server/testing/TestServer.ts"
import { authorizationRequest, Visitor } from "../../src/server/testing/Visitor.ts"
import worker from "../../src/worker.ts"
import { origin, signedIn } from "../support/AtAccount.ts"
import { Chromium } from "./support/Chromium.ts"

const folder = join(import.meta.dirname, "../../docs/screenshots")

/** The sample, whose pages the pictures show, at an address that does not change. */
const sample = () =>
  testServer(worker, {
    users: [{ id: "user_ada", firstName: "Ada", email: "ada@example.com" }],
    settings: { IMAGE_GENERATOR: "placeholder" }
  })

const pictures: Readonly<Record<string, () => Promise<Response>>> = {
  landing: () => new Visitor(sample().handler, origin).get("/"),
  consent: async () => {
    const browser = new Visitor(sample().handler, origin)
    return browser.get("/authorize", await authorizationRequest(await browser.register()))
  },
  account: async () => {
    const server = sample()
    await server.connect({ id: "user_ada" }, { scopes: ["images:generate"] })
    return (await signedIn(server, "user_ada")).get("/account")
  },
  error: () => new Visitor(sample().handler, origin).get("/authorize", { client_id: "unknown" })
}

const viewport = { width: 720, height: 900 }
/** Pages go on below: what is seen of them first stays small enough for a repository. */
const tallest = 1_150

const taken = async (browser: Browser, answer: Response, colorScheme: "light" | "dark"): Promise<Buffer> => {
  const context = await browser.newContext({ colorScheme, viewport })
  const page = await context.newPage()
  const [status, headers, body] = [answer.status, Object.fromEntries(answer.headers), await answer.text()]
  await page.route("**/*", (route) => route.fulfill({ status, headers, body }))
  await page.goto(`${origin}/`)
  // One client is folded open, as somebody would who connects it.
  const cursor = page.locator("summary", { hasText: "Cursor" })
  if ((await cursor.count()) > 0) await cursor.click()
  const height = await page.evaluate<number>(`Math.min(document.documentElement.scrollHeight, ${tallest})`)
  const picture = await page.screenshot({ fullPage: true, clip: { x: 0, y: 0, width: viewport.width, height } })
  await context.close()
  return picture
}

/** `npm run screenshots` writes the pictures anew; otherwise they are held to their size, as fonts differ by machine. */
const writes = process.env["MODE"] === "screenshots"

layer(Chromium.layer, { timeout: "2 minutes" })("the pictures in docs/screenshots", (it) => {
  for (const [name, open] of Object.entries(pictures)) {
    for (const colorScheme of ["light", "dark"] as const) {
      it.effect(`${name}, ${colorScheme}: of a page that is there, under 100 KB`, () =>
        Effect.gen(function* () {
          const browser = yield* Chromium
          yield* Effect.promise(async () => {
            const file = join(folder, `${name}-${colorScheme}.png`)
            const picture = await taken(browser, await open(), colorScheme)
            if (writes) await writeFile(file, picture)
            for (const png of [picture, await readFile(file)]) {
              assert.strictEqual(png.toString("latin1", 1, 4), "PNG")
              assert.isBelow(png.byteLength, 100_000)
            }
          })
        })
      )
    }
  }
})
