import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { faults } from "../../dev/doctor/Faults.ts"
import { errorTexts } from "../support/ErrorTexts.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/troubleshooting.md"), "utf8")

/** Whether a search for a text in the page finds it, whatever fills it in. */
const leadsSomewhere = (text: string): boolean => {
  const words = text.replace(/^[".”,; ]+/u, "").replace(/[(".“;: ]+$/u, "")
  return guide.includes(words)
}

describe("docs/troubleshooting.md", () => {
  it("has every text that a person can meet when something goes wrong", () => {
    const texts = errorTexts()
    // The texts are read from the code: an extraction that finds few of them says nothing.
    assert.isAbove(texts.length, 180)
    for (const known of ["This sign-in took too long", "Session not found", "The Worker could not be built."]) {
      assert.include(
        texts.map(({ text }) => text),
        known
      )
    }
    assert.deepStrictEqual(
      texts.filter(({ text }) => !leadsSomewhere(text)),
      []
    )
  })

  it("has every setting that a page can name as missing or malformed", () => {
    const declared = readFileSync(join(import.meta.dirname, "../../src/server/config/AppConfig.ts"), "utf8")
    const names = [...declared.matchAll(/^ {2}([A-Z][A-Z_]+):/gmu)].map(([, name = ""]) => name)
    assert.isAbove(names.length, 20)
    assert.deepStrictEqual(
      names.filter((name) => !guide.includes(`\`${name}\``)),
      []
    )
  })

  it("has everything that doctor finds, with what it means and how to mend it", () => {
    const rows = Object.values(faults).map(({ what, meaning, remedy }) => `| ${what} | ${meaning} | ${remedy} |`)
    assert.deepStrictEqual(
      rows.filter((row) => !guide.includes(row)),
      []
    )
  })
})
