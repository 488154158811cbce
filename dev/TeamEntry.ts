import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { createRequire } from "node:module"
import { dirname, extname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { describeModule } from "./policy/Describe.ts"

/** The catalogue of an entry cannot be read. */
export class EntryUnreadable extends Schema.TaggedError<EntryUnreadable>()("EntryUnreadable", {
  entry: Schema.String,
  why: Schema.String
}) {
  override get message(): string {
    return `The catalogue of ${this.entry} cannot be read: ${this.why}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const here = fileURLToPath(import.meta.url)

/** A module of this package, by its path from this one, with the extension that this one has. */
const own = (path: string): string => resolve(dirname(here), path + extname(here))

/** The part of esbuild that is used here. It comes with wrangler, which bundles the Worker with it. */
interface Bundler {
  readonly build: (options: object) => Promise<unknown>
}

const isBundler = (value: unknown): value is Bundler => Predicate.hasProperty(value, "build")

/** The part of esbuild's plugins that is used here. */
interface PluginBuild {
  readonly onResolve: (filter: object, resolve: (asked: { readonly path: string }) => object) => void
  readonly onLoad: (filter: object, load: () => object) => void
}

/** What is imported of `cloudflare:`, which exists in workerd only: what tests have of it, and classes for all else. */
const platform = {
  name: "clerk-mcp-worker:cloudflare",
  setup: ({ onResolve, onLoad }: PluginBuild) => {
    onResolve({ filter: /^cloudflare:/ }, ({ path }) => ({ path, namespace: "cloudflare" }))
    onLoad({ filter: /./, namespace: "cloudflare" }, () => ({
      contents: `module.exports = Object.assign(
        Object.create(new Proxy({}, { get: () => class {} })),
        require(${JSON.stringify(own("./CloudflareWorkers"))})
      )`,
      resolveDir: "."
    }))
  }
}

/** One module for Node of the entry and of what describes it, so that both have the same copy of the library. */
const bundle = (entry: string, outfile: string) =>
  Effect.tryPromise({
    try: async () => {
      const wrangler = createRequire(resolve("package.json")).resolve("wrangler/package.json")
      const esbuild: unknown = createRequire(wrangler)("esbuild")
      if (!isBundler(esbuild)) throw new Error("wrangler brings no esbuild")
      await esbuild.build({
        stdin: {
          contents: `import worker from ${JSON.stringify(resolve(entry))}
            import { describeModule } from ${JSON.stringify(own("./policy/Describe"))}
            export const describe = () => describeModule(worker)`,
          resolveDir: resolve(".")
        },
        outfile,
        bundle: true,
        format: "esm",
        platform: "node",
        target: "es2024",
        // As wrangler resolves packages for workerd.
        conditions: ["workerd", "worker", "browser"],
        mainFields: ["browser", "module", "main"],
        // As wrangler treats files that are no scripts.
        loader: { ".txt": "text", ".html": "text", ".sql": "text", ".bin": "binary", ".wasm": "binary" },
        banner: {
          js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);'
        },
        plugins: [platform],
        logLevel: "silent"
      })
    },
    catch: (cause) => new EntryUnreadable({ entry, why: String(cause) })
  })

/** What the module that `bundle` wrote exports. */
interface Bundle {
  readonly describe: () => ReturnType<typeof describeModule>
}

const isBundle = (value: unknown): value is Bundle => Predicate.hasProperty(value, "describe")

/** Everything that the server of an entry can offer, without its settings and bindings, and without the network. */
export const describeEntry = Effect.fnUntraced(function* (entry: string) {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped({ prefix: "clerk-mcp-policy-" })
  const module = join(folder, "entry.mjs")
  yield* bundle(entry, module)
  const described = yield* Effect.tryPromise({
    try: async () => {
      // A layer that asks something of the outside when it is built gets no answer here.
      Object.assign(globalThis, { fetch: () => Promise.reject(new Error("there is no network here")) })
      const bundle: unknown = await import(pathToFileURL(module).href)
      return isBundle(bundle) ? bundle.describe() : undefined
    },
    catch: (cause) => new EntryUnreadable({ entry, why: String(cause) })
  })
  if (described === "no server")
    return yield* new EntryUnreadable({ entry, why: "its default export is not what `make` returns." })
  if (described === undefined)
    return yield* new EntryUnreadable({
      entry,
      why: "which catalogue there is depends on settings. Name all of its parts in one `Catalogue.layer`, those that depend on settings in `Catalogue.when`."
    })
  return described
}, Effect.scoped)
