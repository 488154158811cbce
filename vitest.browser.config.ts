import { defineConfig } from "vitest/config"

import { cloudflareWorkers } from "./dev/Vitest.ts"

/** Tests that need a browser on the machine: `npm run test:browser`. `.ci/run` installs one. */
export default defineConfig({
  plugins: [cloudflareWorkers()],
  test: {
    name: "browser",
    globalSetup: "test/support/bundleFixture.ts",
    include: ["test/browser/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    maxWorkers: 2
  }
})
