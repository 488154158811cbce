import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

import { cloudflareWorkers } from "./dev/Vitest.ts"
import { workers } from "./test/support/workerd/Workers.ts"

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [cloudflareWorkers()],
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.worker.test.ts", "test/browser/**", "test/package/**"],
          testTimeout: 60_000,
          hookTimeout: 120_000
        }
      },
      {
        plugins: [workers],
        test: {
          name: "worker",
          globalSetup: "test/support/workerd/globalSetup.ts",
          include: ["test/**/*.worker.test.ts"],
          exclude: ["test/server/account/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        plugins: [
          cloudflareTest({
            main: "./test/support/sessions/Worker.ts",
            // workerd would report every stream that a test leaves, and every object that one takes down.
            verbose: false,
            miniflare: {
              compatibilityDate: "2026-10-23",
              compatibilityFlags: ["nodejs_compat"],
              durableObjects: { ACCOUNT_AGENT: { className: "AccountObject", useSQLite: true } }
            }
          })
        ],
        test: {
          name: "agent",
          include: ["test/server/account/**/*.worker.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        // What a team does with the packed library. It takes npm and a minute: `--project '!package'` leaves it out.
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000
        }
      }
    ]
  }
})
