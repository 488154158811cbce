import { defineConfig } from "vitest/config"

/** What a team does with the packed library: `npm run test:package`. It installs packages, and takes a minute or two. */
export default defineConfig({
  test: {
    name: "package",
    include: ["test/package/**/*.test.ts"],
    exclude: ["test/package/team/**"],
    testTimeout: 300_000,
    hookTimeout: 120_000
  }
})
