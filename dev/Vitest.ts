import { fileURLToPath } from "node:url"

/** The part of a Vite plugin that this one is. */
interface TestPlugin {
  readonly name: string
  readonly config: () => {
    readonly resolve: { readonly alias: Readonly<Record<string, string>> }
    readonly test: { readonly server: { readonly deps: { readonly inline: Array<string | RegExp> } } }
  }
}

/** Beside this file, with the extension that this file has. */
const standIn = fileURLToPath(import.meta.url).replace(/Vitest\.([jt]s)$/u, "CloudflareWorkers.$1")

/**
 * For `plugins` in a team's `vitest.config.ts`: what the Worker imports of `cloudflare:workers`, a module that exists in
 * workerd only, is found in tests that run in Node.
 */
export const cloudflareWorkers = (): TestPlugin => ({
  name: "clerk-mcp-worker:cloudflare-workers",
  config: () => ({
    resolve: { alias: { "cloudflare:workers": standIn } },
    // Packages that import the module, by themselves or by what they are made of.
    test: { server: { deps: { inline: ["clerk-mcp-worker", "@cloudflare/workers-oauth-provider", /agents\/dist/] } } }
  })
})
