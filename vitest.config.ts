import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.worker.test.ts", "test/browser/**"],
          testTimeout: 30_000,
          hookTimeout: 120_000
        }
      },
      {
        plugins: [
          cloudflareTest({
            main: "./test/support/sessions/Worker.ts",
            miniflare: {
              compatibilityDate: "2026-10-23",
              compatibilityFlags: ["nodejs_compat"],
              durableObjects: { ACCOUNT_AGENT: { className: "AccountAgent", useSQLite: true } }
            }
          })
        ],
        test: {
          name: "agent",
          include: ["test/agent/**/*.worker.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000
        }
      }
    ]
  }
})
