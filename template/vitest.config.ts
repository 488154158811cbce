import { cloudflareWorkers } from "clerk-mcp-worker/vitest"
import { defineConfig } from "vitest/config"

export default defineConfig({
  plugins: [cloudflareWorkers()],
  test: { include: ["test/**/*.test.ts"] }
})
