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
      }
    ]
  }
})
