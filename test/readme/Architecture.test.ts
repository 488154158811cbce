import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "../..")
const text = (path: string) => readFileSync(join(root, path), "utf8")
const document = text("docs/architecture.md")
const picture = /```mermaid\n(.*?)```/su.exec(document)?.[1] ?? ""

/** The files of the picture, by their names in it. */
const files = new Map([...picture.matchAll(/(\w+)\["([^"]+)"\]/gu)].map(([, name, file]) => [name!, file!]))
const arrows = [...picture.matchAll(/^\s*(\w+)(?:\["[^"]+"\])? --> (\w+)/gmu)].map(
  ([, from, to]) => [from!, to!] as const
)

/** The files that a file imports, from the root. */
const importsOf = (file: string): ReadonlyArray<string> =>
  [...text(file).matchAll(/from "(\.[^"]+)"/gu)].map(([, path]) => relative(root, join(root, dirname(file), path!)))

describe("the picture of the architecture", () => {
  it("names files that are there", () => {
    assert.isAtLeast(files.size, 30)
    for (const file of files.values()) assert.isTrue(existsSync(join(root, file)), file)
  })

  it("draws an arrow only where there is an import", () => {
    assert.isAtLeast(arrows.length, 35)
    for (const [from, to] of arrows) {
      const [tail, head] = [files.get(from), files.get(to)]
      assert.isDefined(tail, from)
      assert.isDefined(head, to)
      assert.include(importsOf(tail), head, `${tail} --> ${head}`)
    }
  })

  it("sends a reader to files that are there", () => {
    for (const [, path] of document.matchAll(/`(src\/[\w./]+\.ts)`/gu))
      assert.isTrue(existsSync(join(root, path!)), path)
  })
})
