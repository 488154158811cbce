import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { gzipSync } from "node:zlib"

class BuildFailed extends Schema.TaggedError<BuildFailed>()("BuildFailed", { output: Schema.String }) {
  override get message(): string {
    return `The Worker could not be built.\n${this.output}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { limit: Schema.Int }) {
  override get message(): string {
    return `The Worker is larger than ${this.limit} KiB.`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(2)} KiB`.padStart(12)

/** Builds the Worker into `folder` as `wrangler deploy` would, and gives the size line that wrangler prints. */
const build = Effect.fnUntraced(function* (folder: string, entry: ReadonlyArray<string>, environment: string) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(
    ChildProcess.make(
      "wrangler",
      ["deploy", ...entry, "--dry-run", "--minify", `--env=${environment}`, "--outdir", folder],
      {
        stdin: "ignore",
        env: { NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" },
        extendEnv: true
      }
    )
  )
  const output = yield* Stream.mkString(Stream.decodeText(child.all))
  if ((yield* child.exitCode) !== 0) return yield* new BuildFailed({ output })
  return /^Total Upload:.*$/mu.exec(output)?.[0] ?? "no size"
})

/** What is uploaded: all files but the source maps and wrangler's own note. */
const modules = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const names = yield* files.readDirectory(folder, { recursive: true })
  const uploaded = yield* Effect.filter(names, (name) =>
    name.endsWith(".map") || name === "README.md"
      ? Effect.succeed(false)
      : Effect.map(files.stat(join(folder, name)), ({ type }) => type === "File")
  )
  const sizes = yield* Effect.forEach(uploaded, (name) =>
    Effect.map(files.readFile(join(folder, name)), (content) => ({
      name,
      raw: content.byteLength,
      gzip: gzipSync(content, { level: 9 }).byteLength
    }))
  )
  return sizes.toSorted((left, right) => right.gzip - left.gzip)
})

/** What the Worker of an environment would be as an upload: each module, all together, and the line that wrangler prints. */
export const weighed = Effect.fnUntraced(function* (entry: ReadonlyArray<string>, environment: string) {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped({ prefix: "worker-size-" })
  const printed = yield* build(folder, entry, environment)
  const parts = yield* modules(folder)
  const raw = parts.reduce((sum, part) => sum + part.raw, 0)
  const gzip = parts.reduce((sum, part) => sum + part.gzip, 0)
  return { parts, raw, gzip, printed }
}, Effect.scoped)

/** Builds the Worker as `wrangler deploy` would, weighs it, and fails over the limit. Uploads nothing. */
export const size = Command.make(
  "size",
  {
    limit: Flag.Int("limit").pipe(Flag.withDescription("KiB that the Worker may have, minified and gzipped")),
    entry: Argument.String("ENTRY").pipe(
      Argument.withDescription("Another file than `main` of wrangler.jsonc"),
      Argument.variadic({ max: 1 })
    )
  },
  Effect.fnUntraced(function* ({ entry, limit }) {
    const { gzip, parts, printed, raw } = yield* weighed(entry, "")
    const fits = gzip > 0 && gzip <= limit * 1024
    const lines = [
      ...(parts.length > 1 ? parts.map((part) => `${kib(part.raw)} ${kib(part.gzip)}  ${part.name}`) : []),
      `${kib(raw)} ${kib(gzip)}  ${entry[0] ?? "Worker"}, minified and gzipped: ${fits ? "within" : "NOT within"} ${limit} KiB`,
      `wrangler prints: ${printed}`
    ]
    yield* Console.log(lines.join("\n"))
    if (!fits) return yield* new TooLarge({ limit })
  })
).pipe(Command.withDescription("Weigh the Worker as it would be uploaded"))
