import { assert, describe, it } from "@effect/vitest"

import { isTooDeep } from "../../../src/server/http/Posted.ts"

const nested = (levels: number, open = "[", close = "]") => open.repeat(levels) + close.repeat(levels)

describe("the depth of JSON", () => {
  it("counts open arrays and objects, and nothing that is written in a text", () => {
    for (const json of [nested(128), nested(128, '{"a":'), "[]".repeat(500), JSON.stringify(nested(500))]) {
      assert.isFalse(isTooDeep(json), json.slice(0, 40))
    }
    assert.isFalse(isTooDeep(JSON.stringify({ text: `\\"${nested(500)}` })))
    for (const json of [nested(129), nested(129, '{"a":', "}"), `["\\\\",${nested(128)}]`, "[".repeat(1_000_000)]) {
      assert.isTrue(isTooDeep(json), json.slice(0, 40))
    }
  })
})
