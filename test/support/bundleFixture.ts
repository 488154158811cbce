import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

import { bundle } from "./FixtureBundle.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The folder with the bundled fixture. */
    readonly fixtureBundle: string
  }
}

/** Bundles the fixture, once for all tests that serve it behind a port. */
export default async function setup(project: TestProject): Promise<() => void> {
  const outdir = mkdtempSync(join(tmpdir(), "mcp-fixture-"))
  await bundle("test/server/fixture/worker.ts", outdir)
  project.provide("fixtureBundle", outdir)
  return () => rmSync(outdir, { recursive: true, force: true })
}
