import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of this package, for its sources and for what is built of them. */
const root = dirname(fileURLToPath(import.meta.resolve("clerk-mcp-worker/package.json")))

const Versions = Schema.Record(Schema.String, Schema.String)

const Manifest = Schema.fromJsonString(
  Schema.Struct({ name: Schema.String, version: Schema.String, dependencies: Versions, devDependencies: Versions })
)

/** What npm notes about the packages in a `node_modules` folder. */
const Installed = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(Schema.String, Schema.Struct({ resolved: Schema.optionalKey(Schema.String) }))
  })
)

const { name, version, dependencies, devDependencies } = Schema.decodeSync(Manifest)(
  readFileSync(join(root, "package.json"), "utf8")
)

/** The tarball that npm installed this package from, if it was a file. */
const tarball = (): string | undefined => {
  const modules = dirname(root)
  try {
    const { packages } = Schema.decodeSync(Installed)(readFileSync(join(modules, ".package-lock.json"), "utf8"))
    const from = packages[`node_modules/${name}`]?.resolved ?? ""
    return from.startsWith("file:") ? resolve(dirname(modules), from.slice("file:".length)) : undefined
  } catch {
    return undefined
  }
}

/** This package, as its command line speaks of it. */
export const library = {
  name,
  version,
  /** The files of a new server. */
  template: join(root, "template"),
  /** The versions of other packages that this version is tested with. */
  tested: { ...dependencies, ...devDependencies },
  /** How the package.json in `folder` names this package: by the tarball that it came in, or by its version. */
  dependencyIn: (folder: string): string => {
    const file = tarball()
    return file === undefined ? `^${version}` : `file:${relative(folder, file)}`
  }
}
