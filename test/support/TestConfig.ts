import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { AppConfig } from "../../src/server/config/AppConfig.ts"
import { type ServerDescription, ServerInfo } from "../../src/server/config/ServerInfo.ts"
import { testSettings } from "../../src/server/testing/TestSettings.ts"

/** A complete set of settings: the server's own, and those of the fixture. */
export const settings = { ...testSettings, FIXTURE_COLOUR: "red" } as const

type Optional =
  | "ACCESS_TOKEN_MINUTES"
  | "ALLOWED_ORIGINS"
  | "APP_URL"
  | "CLERK_API_URL"
  | "CLERK_JWT_TEMPLATE"
  | "CLERK_WEBHOOK_SECRET"
  | "CLIENT_HOSTS"
  | "CLIENT_REGISTRATION"
  | "ORGANIZATIONS"
  | "PRIVATE_USE_REDIRECTS"
  | "REFRESH_GRACE_SECONDS"
  | "REFRESH_TOKEN_DAYS"

export type Settings = Readonly<Partial<Record<keyof typeof settings | Optional, unknown>>>

/** A server for tests of its parts. */
export const description: ServerDescription = {
  name: "test-server",
  title: "Test server",
  version: "1.2.3",
  instructions: "Ask for the order first.",
  icons: [{ src: "https://mcp.example.com/icon.svg", mimeType: "image/svg+xml", sizes: ["any"] }],
  scopes: { "paint:use": "Paint in your name", "grants:end": "Sign out other apps of yours" },
  appScopes: { "app:use": "Read in the app" }
}

/** The configuration of a test, decoded as the host's is. */
export const testConfig = (overrides: Settings = {}) =>
  ServerInfo.layer(description).pipe(
    Layer.provideMerge(Layer.effect(AppConfig, Effect.orDie(AppConfig.decode({ ...settings, ...overrides }))))
  )
