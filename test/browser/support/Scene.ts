import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core"

import { type Attempt, OAuthClient, type Parameters, type Registration } from "../../support/OAuthClient.ts"
import { RunningServer, type Server } from "../../support/RunningServer.ts"
import { Chromium } from "./Chromium.ts"
import { type LoopbackApp, loopbackApp } from "./LoopbackApp.ts"

/** A person in front of a fresh browser profile, an app that wants to be connected, and the server. */
export interface Scene {
  readonly server: Server
  readonly app: LoopbackApp
  readonly context: BrowserContext
  readonly page: Page
  /** A page of somebody else, in a profile of their own. */
  readonly stranger: () => Promise<Page>
  /** Registers the app as a client. */
  readonly register: (registration?: Registration) => Promise<OAuthClient>
  /** Opens what the client asks for: the consent page, if there is anything to ask. */
  readonly open: (client: OAuthClient, request?: Parameters) => Promise<Attempt>
}

/** One server and one browser for the tests of a file. */
export const stage = Layer.merge(RunningServer.layer, Chromium.layer)

/** A test in which a person looks at pages. */
export const inBrowser =
  (test: (scene: Scene) => Promise<void>, options: BrowserContextOptions = {}) =>
  () =>
    Effect.gen(function* () {
      const server = yield* RunningServer
      const browser = yield* Chromium
      const app = yield* loopbackApp
      const context = yield* Effect.acquireRelease(
        Effect.promise(() => browser.newContext(options)),
        (context) => Effect.promise(() => context.close())
      )
      context.setDefaultTimeout(10_000)
      const page = yield* Effect.promise(() => context.newPage())
      yield* Effect.promise(() =>
        test({
          server,
          app,
          context,
          page,
          stranger: async () => (await browser.newContext(options)).newPage(),
          register: (registration) =>
            OAuthClient.register(server.mcp, { redirectUris: [app.redirectUri], ...registration }),
          open: async (client, request) => {
            const attempt = await client.begin(request)
            await page.goto(attempt.address.href)
            return attempt
          }
        })
      )
    })

/** Puts the server this many milliseconds away. */
export const atDistance = async (page: Page, latency: number): Promise<void> => {
  const network = await page.context().newCDPSession(page)
  await network.send("Network.enable")
  const limits = { offline: false, latency, downloadThroughput: -1, uploadThroughput: -1 }
  await network.send("Network.emulateNetworkConditions", limits)
}

/** Presses a button a second time while the browser is still on its way, if it is. */
export const pressTwice = async (page: Page, name: string, millisBetween: number): Promise<void> => {
  const { x, y, width, height } = (await button(page, name).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
  const here = page.url()
  const press = () => page.mouse.click(x + width / 2, y + height / 2)
  await press()
  await page.waitForTimeout(millisBetween)
  if (page.url() === here) await press()
}

/** The button with this name. */
export const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true })

/** The check box of a scope, by the words that stand beside it. */
export const imagesScope = (page: Page) => page.getByRole("checkbox", { name: /Paint in your name/u })

/** Fills in the sign-in page of the stand-in. */
export const signInAs = async (page: Page, email: string): Promise<void> => {
  await page.getByLabel("E-mail address").fill(email)
  await button(page, "Sign in").click()
}

/** Waits until the browser is back in the app, and answers with the newest address that it came by. */
export const backInApp = async ({ page, app }: Scene): Promise<URL> => {
  const there = `${app.redirectUri}?*`
  // A navigation that the next one replaced counts as aborted.
  await page.waitForURL(there).catch(() => page.waitForURL(there))
  const arrival = app.arrivals.at(-1)
  if (arrival === undefined) throw new Error("nobody came back to the app")
  return arrival
}
