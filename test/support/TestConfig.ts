import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { AppConfig } from "../../src/server/config/AppConfig.ts"
import { type ServerDescription, ServerInfo } from "../../src/server/config/ServerInfo.ts"

const absent = () => Promise.reject(new Error("the test did not swap OAuthStorage"))

/** A complete set of settings, as the host hands them over. None of the secrets is real. */
export const settings = {
  PUBLIC_URL: "https://mcp.example.com",
  SIGN_IN: "clerk",
  CLERK_FRONTEND_API: "https://clerk.example.com",
  CLERK_CLIENT_ID: "the-oauth-application",
  CLERK_CLIENT_SECRET: "client-secret-of-the-tests",
  CLERK_SECRET_KEY: "sk_test_of_the_tests",
  STATE_SIGNING_KEYS: `first:${btoa("the first key of the ring: 32 bytes and more")}`,
  IMAGE_GENERATOR: "placeholder",
  OAUTH_KV: { get: absent, put: absent, delete: absent, list: absent },
  ACCOUNT_AGENT: {
    getByName: () => {
      throw new Error("sessions need workerd")
    }
  }
} as const

type Optional = "CLERK_API_URL" | "CLERK_JWT_TEMPLATE" | "APP_URL" | "ALLOWED_ORIGINS"

export type Settings = Readonly<Partial<Record<keyof typeof settings | Optional, unknown>>>

/** A server for tests of its parts. */
export const description: ServerDescription = {
  name: "test-server",
  title: "Test server",
  version: "1.2.3",
  instructions: "Ask for the order first.",
  icons: [{ src: "https://mcp.example.com/icon.svg", mimeType: "image/svg+xml", sizes: ["any"] }],
  scopes: { "images:generate": "Generate images", "connections:manage": "Sign out other apps" },
  appScopes: { "app:read": "Read in the app" }
}

/** The configuration of a test, decoded as the host's is. */
export const testConfig = (overrides: Settings = {}) =>
  ServerInfo.layer(description).pipe(
    Layer.provideMerge(Layer.effect(AppConfig, Effect.orDie(AppConfig.decode({ ...settings, ...overrides }))))
  )
