import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import type { TestProject } from "vitest/node"

import { ClerkStandIn, type WorkerSettings } from "../../../dev/clerk/ClerkStandIn.ts"
import { places } from "./Places.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The Worker's settings that point it at the running Clerk stand-in. */
    readonly clerkSettings: WorkerSettings
    /** Bundled Workers, each one module. */
    readonly bundles: Readonly<Record<keyof typeof entries, string>>
  }
}

const root = join(import.meta.dirname, "../../..")

const entries = {
  worker: "src/worker.ts",
  waitingModel: "test/support/workerd/WaitingModel.ts",
  internet: "test/support/workerd/Internet.ts"
} as const

/** Bundles a Worker as `wrangler deploy` does, and answers where the one module is. */
const bundle = (entry: string, outdir: string, config: ReadonlyArray<string> = ["--env=local"]): Promise<string> =>
  new Promise((resolve, reject) => {
    const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js")
    const run = spawn(process.execPath, [wrangler, "deploy", entry, "--dry-run", ...config, `--outdir=${outdir}`], {
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

/** Starts a Clerk stand-in on a free port and bundles the Workers, once for all workerd tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const outdir = mkdtempSync(join(tmpdir(), "mcp-workerd-"))
  const scope = await Effect.runPromise(Scope.make())
  const standIn = ClerkStandIn.layer({ port: 0, redirectUris: [`${places.app}/callback`] })
  const [clerk, worker, waitingModel, internet] = await Promise.all([
    Effect.runPromise(Scope.provide(Layer.build(standIn), scope)),
    bundle(entries.worker, join(outdir, "worker")),
    bundle(entries.waitingModel, join(outdir, "waiting-model")),
    bundle(entries.internet, join(outdir, "internet"), ["--config=test/support/workerd/internet.jsonc"])
  ])
  project.provide("clerkSettings", Context.get(clerk, ClerkStandIn).settings)
  project.provide("bundles", { worker, waitingModel, internet })
  return async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(outdir, { recursive: true, force: true })
  }
}
