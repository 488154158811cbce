import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

import { bundle } from "./FixtureBundle.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The folder with the bundled fixture. */
    readonly fixtureBundle: string
    /** The folder with the same on storage that can fail, see `observed/Worker.ts`. */
    readonly observedBundle: string
  }
}

/** Bundles the fixture, once for all tests that serve it behind a port. */
export default async function setup(project: TestProject): Promise<() => void> {
  const outdir = mkdtempSync(join(tmpdir(), "mcp-fixture-"))
  const [fixture, observed] = [join(outdir, "fixture"), join(outdir, "observed")]
  await Promise.all([
    bundle("test/server/fixture/worker.ts", fixture),
    bundle("test/support/observed/Worker.ts", observed, "test/support/observed/wrangler.jsonc")
  ])
  project.provide("fixtureBundle", fixture)
  project.provide("observedBundle", observed)
  return () => rmSync(outdir, { recursive: true, force: true })
}
