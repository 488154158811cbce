import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

import { cloudflareWorkers } from "./dev/Vitest.ts"
import { workers } from "./test/support/workerd/Workers.ts"

/** Files share the modules that they import: most of the time would go into loading them anew. */
const inNode = { isolate: false, testTimeout: 60_000, hookTimeout: 120_000 }

export default defineConfig({
  test: {
    // Half of the time is spent waiting, for pauses and for other processes.
    maxWorkers: 2,
    projects: [
      {
        // What a team has of its own: `npm run test:tools`.
        plugins: [cloudflareWorkers()],
        test: { ...inNode, name: "tools", include: ["test/tools/**/*.test.ts"] }
      },
      {
        plugins: [cloudflareWorkers()],
        test: {
          ...inNode,
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.worker.test.ts", "test/{browser,package,tools}/**", "test/server/e2e/**"]
        }
      },
      {
        // A server behind a port, which files share: see `RunningServer`.
        plugins: [cloudflareWorkers()],
        test: {
          ...inNode,
          name: "e2e",
          globalSetup: "test/support/bundleFixture.ts",
          include: ["test/server/e2e/**/*.test.ts"]
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
      }
    ]
  }
})
