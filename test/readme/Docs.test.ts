import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

import packageJson from "../../package.json" with { type: "json" }

const root = join(import.meta.dirname, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...globSync("docs/*.md", { cwd: root }).toSorted()]

const fenced = /^```(\w*)\n([\s\S]*?)^```$/gmu

/** The name under which a headline can be linked to, as GitHub makes it. */
const anchorOf = (headline: string) =>
  headline
    .replaceAll(/\[([^\]]*)\]\([^)]*\)|`/gu, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

const anchorsOf = (path: string) =>
  new Set(
    [
      ...read(path)
        .replaceAll(fenced, "")
        .matchAll(/^#+ (.*)$/gmu)
    ].map(([, headline = ""]) => anchorOf(headline))
  )

/** Code as it is compared: without the comment that names its file, and wherever the importing file is. */
const comparable = (code: string) =>
  code
    .replace(/^\/\/ \S+\.tsx?\n/u, "")
    .replaceAll(/"(?:\.{1,2}\/)+(?:src\/)?(?:tools\/)?/gu, '"')
    .replaceAll(/"clerk-mcp-worker(?:\/(\w+))?"/gu, '"$1"')
    .replaceAll(/\s+/gu, " ")
    .trim()

const code = globSync(["test/{readme,tools}/**/*.ts", "src/**/*.ts", "examples/**/*.{ts,tsx}", "template/**/*.ts"], {
  cwd: root,
  exclude: (path) => path.includes("node_modules")
}).map((path) => comparable(read(path)))

/** Parts of a file, by how they begin, which stand like that in no file, and why. */
const excerpts: ReadonlyMap<string, string> = new Map([
  ["export const config = {\n  matcher: [", "`AppSignIn.test.ts` has Next.js' paths judged by it"],
  ["class AcmeSettings extends", "`Definition.test.ts` has a class like it"],
  ["brand: {\n", "a property of the definition, with a logo that is left out"]
])

describe.each(pages)("%s", (page) => {
  it("links to what is there", () => {
    const broken = [
      ...read(page)
        .replaceAll(fenced, "")
        .matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/gu)
    ]
      .map(([, link, source]) => link ?? source ?? "")
      .filter((link) => !/^(?:https?|mailto):/u.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#")
        const target = path === "" ? page : relative(root, join(root, dirname(page), path))
        if (!existsSync(join(root, target))) return true
        return anchor !== undefined && target.endsWith(".md") && !anchorsOf(target).has(anchor)
      })
    assert.deepEqual(broken, [])
  })

  it("quotes code that runs in a test", () => {
    const unknown = [...read(page).matchAll(fenced)]
      .filter(([, language = ""]) => /^tsx?$/u.test(language))
      .map(([, , snippet = ""]) => snippet)
      .filter(
        (snippet) =>
          ![...excerpts.keys()].some((begin) => snippet.startsWith(begin)) &&
          !code.some((file) => file.includes(comparable(snippet)))
      )
    assert.deepEqual(unknown, [])
  })

  it("names commands that are there", () => {
    const scripts = [...read(page).matchAll(/npm run (?:-s )?([a-z:]+)/gu)].map(([, name = ""]) => name)
    for (const name of scripts) assert.property(packageJson.scripts, name)
    const cli = read("dev/cli.ts") + globSync("dev/commands/*.ts", { cwd: root }).map(read).join("\n")
    const commands = [...read(page).matchAll(/(?:npx |`)clerk-mcp ([a-z]+)/gu)].map(([, name = ""]) => name)
    for (const name of commands) assert.match(cli, new RegExp(`Command\\.make\\(\\s*"${name}"`, "u"))
  })
})
