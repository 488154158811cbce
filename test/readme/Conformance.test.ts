import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** The rows of every table, without their heads. */
const rows = read("docs/conformance.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (requirement|---) \|/u.test(line))
  .map((line) => line.slice(2, -2).split(" | "))

describe("the conformance table", () => {
  it("has a requirement, a section and a test in every row", () => {
    assert.isAtLeast(rows.length, 60)
    for (const row of rows) {
      assert.lengthOf(row, 3, row.join(" | "))
      for (const cell of row) assert.isNotEmpty(cell.trim(), row.join(" | "))
    }
  })

  it("names each requirement once", () => {
    const requirements = rows.map(([requirement]) => requirement)
    assert.deepStrictEqual(
      requirements.filter((requirement, index) => requirements.indexOf(requirement) !== index),
      []
    )
  })

  it("names tests that there are", () => {
    for (const [requirement, , test = ""] of rows) {
      const [, path = "", title = ""] = /^`(test\/[^`]+\.test\.ts)`: "(.+)"$/u.exec(test) ?? []
      assert.isNotEmpty(title, requirement)
      assert.isTrue(existsSync(join(root, path)), path)
      assert.isTrue(read(path).includes(title), `${path} has no "${title}"`)
    }
  })
})
