/**
 * Builds the Worker as `wrangler deploy` would, weighs it, and exits 1 over the limit.
 *
 *     node dev/size.ts [options of wrangler deploy, such as --env production]
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { gzipSync } from "node:zlib"

const limitKiB = 312

interface Module {
  readonly name: string
  readonly raw: number
  readonly gzip: number
}

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(2)} KiB`.padStart(12)

/** Runs the bundler into `outdir` and returns the size line that wrangler prints, or undefined if it failed. */
const build = (outdir: string): string | undefined => {
  const wrangler = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js")
  const options = ["deploy", "--dry-run", "--minify", "--outdir", outdir, ...process.argv.slice(2)]
  const run = spawnSync(process.execPath, [wrangler, ...options], {
    cwd: join(import.meta.dirname, ".."),
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" }
  })
  if (run.status !== 0) {
    console.error(run.error?.message ?? `${run.stdout}${run.stderr}`)
    return undefined
  }
  return /^Total Upload:.*$/m.exec(run.stdout)?.[0] ?? "no size"
}

/** What is uploaded: everything in `outdir` but the source maps and wrangler's own note. */
const modules = (outdir: string): ReadonlyArray<Module> =>
  readdirSync(outdir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".map") && entry.name !== "README.md")
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const content = readFileSync(path)
      return {
        name: path.slice(outdir.length + 1),
        raw: content.byteLength,
        gzip: gzipSync(content, { level: 9 }).byteLength
      }
    })
    .toSorted((left, right) => right.gzip - left.gzip)

/** Prints the sizes and answers whether the Worker fits. */
const report = (parts: ReadonlyArray<Module>, printed: string): boolean => {
  const raw = parts.reduce((sum, part) => sum + part.raw, 0)
  const gzip = parts.reduce((sum, part) => sum + part.gzip, 0)
  const fits = gzip > 0 && gzip <= limitKiB * 1024
  const lines = [
    ...(parts.length > 1 ? parts.map((part) => `${kib(part.raw)} ${kib(part.gzip)}  ${part.name}`) : []),
    `${kib(raw)} ${kib(gzip)}  Worker, minified and gzipped: ${fits ? "within" : "NOT within"} ${limitKiB} KiB`,
    `wrangler prints: ${printed}`
  ]
  console.log(lines.join("\n"))
  return fits
}

const outdir = mkdtempSync(join(tmpdir(), "worker-size-"))
try {
  const printed = build(outdir)
  process.exitCode = printed !== undefined && report(modules(outdir), printed) ? 0 : 1
} finally {
  rmSync(outdir, { recursive: true, force: true })
}
