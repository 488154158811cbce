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

/** The button with this name. */
export const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true })

/** The check box of a scope, by the words that stand beside it. */
export const imagesScope = (page: Page) => page.getByRole("checkbox", { name: /Generate images/u })

/** Fills in the sign-in page of the stand-in. */
export const signInAs = async (page: Page, email: string): Promise<void> => {
  await page.getByLabel("E-mail address").fill(email)
  await button(page, "Sign in").click()
}

/** Waits until the browser is back in the app, and answers with the newest address that it came by. */
export const backInApp = async ({ page, app }: Scene): Promise<URL> => {
  await page.waitForURL(`${app.redirectUri}?*`)
  const arrival = app.arrivals.at(-1)
  if (arrival === undefined) throw new Error("nobody came back to the app")
  return arrival
}
