import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { callTool } from "../../src/server/testing/index.ts"
import * as Reports from "../../src/tools/Reports.ts"

const titles = Layer.succeed(Reports.Reports, { titles: (of) => Effect.succeed([`Sales of ${of}`]) })
const call = callTool(Reports.toolkit, Layer.provide(Reports.layer, titles))

const organizations = [
  { id: "org_acme", name: "Acme", permissions: ["org:reports:read"] },
  { id: "org_globex", name: "Globex" }
]

describe("listReports", () => {
  it.effect("lists those of the organization that the connection is for", () =>
    Effect.gen(function* () {
      const listed = yield* call("listReports", {}, { as: { organizations, organization: "org_acme" } })
      assert.deepStrictEqual(listed, { organization: "Acme", reports: ["Sales of org_acme"] })
    })
  )

  it.effect("is for nobody without the permission there, whatever they have elsewhere", () =>
    Effect.gen(function* () {
      for (const organization of ["org_globex", null]) {
        const refused = yield* Effect.flip(call("listReports", {}, { as: { organizations, organization } }))
        assert.strictEqual(refused._tag, "NotPermitted")
        assert.include(refused.message, "permission org:reports:read in your organization")
      }
    })
  )
})
