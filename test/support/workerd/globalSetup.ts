import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

import { ClerkStandIn, type WorkerSettings } from "../../../dev/clerk/ClerkStandIn.ts"
import { bundle } from "../FixtureBundle.ts"
import { places } from "./Places.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The Worker's settings that point it at the running Clerk stand-in. */
    readonly clerkSettings: WorkerSettings
    /** Bundled Workers, each one module. */
    readonly bundles: Readonly<Record<keyof typeof entries, string>>
  }
}

const entries = {
  worker: "test/server/fixture/worker.ts",
  waitingModel: "test/support/workerd/WaitingModel.ts",
  internet: "test/support/workerd/Internet.ts"
} as const

/** Starts a Clerk stand-in on a free port and bundles the Workers, once for all workerd tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const outdir = mkdtempSync(join(tmpdir(), "mcp-workerd-"))
  const scope = await Effect.runPromise(Scope.make())
  const standIn = ClerkStandIn.layer({ port: 0, redirectUris: [`${places.app}/callback`] })
  const [clerk, worker, waitingModel, internet] = await Promise.all([
    Effect.runPromise(Scope.provide(Layer.build(standIn), scope)),
    bundle(entries.worker, join(outdir, "worker")),
    bundle(entries.waitingModel, join(outdir, "waiting-model")),
    bundle(entries.internet, join(outdir, "internet"), "test/support/workerd/internet.jsonc")
  ])
  project.provide("clerkSettings", Context.get(clerk, ClerkStandIn).settings)
  project.provide("bundles", { worker, waitingModel, internet })
  return async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(outdir, { recursive: true, force: true })
  }
}
