import { spawn } from "node:child_process"
import { join } from "node:path"
import process from "node:process"

const root = join(import.meta.dirname, "../..")

/** Where wrangler finds what the library's tests serve. */
export const fixtureConfig = "test/server/fixture/wrangler.jsonc"

/** Bundles a Worker as `wrangler deploy` does, and answers the address of the one module. */
export const bundle = (entry: string, outdir: string, config = fixtureConfig): Promise<string> =>
  new Promise((resolve, reject) => {
    const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js")
    const args = [wrangler, "deploy", entry, "--dry-run", `--config=${config}`, `--outdir=${outdir}`]
    const run = spawn(process.execPath, args, {
      cwd: root,
      // Vitest's NODE_ENV, which is "test", would be bundled, and Clerk's SDK fetches in another way under it.
      env: { ...process.env, NODE_ENV: "production", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" }
    })
    let said = ""
    run.stdout.on("data", (text: Buffer) => (said += text.toString()))
    run.stderr.on("data", (text: Buffer) => (said += text.toString()))
    run.on("error", reject)
    run.on("close", (code) => {
      const name = entry.slice(entry.lastIndexOf("/") + 1).replace(/\.ts$/u, ".js")
      return code === 0 ? resolve(join(outdir, name)) : reject(new Error(said))
    })
  })
