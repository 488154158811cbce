import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { basename, dirname, join, resolve } from "node:path"

import { library } from "../Library.ts"

class NameRefused extends Schema.TaggedError<NameRefused>()("NameRefused", { name: Schema.String }) {
  override get message(): string {
    return `"${this.name}" cannot be the name of a server. The name of the folder becomes that of the package and of the Worker: at most 63 lowercase letters, digits and dashes, not the name of a package that it uses. Nothing was written.`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

class FolderNotEmpty extends Schema.TaggedError<FolderNotEmpty>()("FolderNotEmpty", { folder: Schema.String }) {
  override get message(): string {
    return `${this.folder} is not an empty folder. Nothing was written.`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** The narrower of two rules: what npm takes as a package's name, and Cloudflare as a Worker's. */
const name = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u

/** What the template is called where the new server's name belongs. */
const placeholder = { name: "my-mcp-server", title: "My MCP Server" }

const titleOf = (name: string): string =>
  name
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(" ")

/** npm drops files of these names when it packs, so that the template has them under others. */
const renamed: Readonly<Record<string, string>> = { _gitignore: ".gitignore" }

/** A package.json's dependencies, with the versions that the library is tested with, and the library itself. */
const withVersions = (manifest: string, folder: string): string =>
  manifest.replace(/"([^"]+)": "\*"/gu, (_, name: string) => {
    const version = name === library.name ? library.dependencyIn(folder) : library.tested[name]
    return `"${name}": ${JSON.stringify(version ?? "*")}`
  })

/** Writes a new server into a folder that does not exist yet or is empty; a fresh git repository counts as empty. */
export const init = Command.make(
  "init",
  { directory: Argument.String("DIR").pipe(Argument.withDescription("A new or empty folder, named as the server")) },
  Effect.fnUntraced(function* ({ directory }) {
    const files = yield* FileSystem.FileSystem
    const folder = resolve(directory)
    const server = basename(folder)
    if (!name.test(server) || server === library.name || server in library.tested) {
      return yield* new NameRefused({ name: server })
    }
    if (yield* files.exists(folder)) {
      const { type } = yield* files.stat(folder)
      const present = type === "Directory" ? yield* files.readDirectory(folder) : [folder]
      if (present.some((file) => file !== ".git")) return yield* new FolderNotEmpty({ folder: directory })
    }
    const paths = yield* files.readDirectory(library.template, { recursive: true })
    for (const path of paths) {
      const source = join(library.template, path)
      if ((yield* files.stat(source)).type !== "File") continue
      const content = (yield* files.readFileString(source))
        .replaceAll(placeholder.name, server)
        .replaceAll(placeholder.title, titleOf(server))
      const target = join(folder, dirname(path), renamed[basename(path)] ?? basename(path))
      yield* files.makeDirectory(dirname(target), { recursive: true })
      yield* files.writeFileString(target, path === "package.json" ? withVersions(content, folder) : content)
    }
    yield* Console.log(`
  ${titleOf(server)} is in ${directory}. Next:
${resolve() === folder ? "" : `\n    cd ${directory}`}
    npm install
    npm start        runs it beside a stand-in for Clerk: no account is needed
    npm test
    npm run check

  Its tool is in src/tools/Stock.ts, its README says how to add another and how to deploy.
`)
  })
).pipe(Command.withDescription("Write a new server of your own"))
