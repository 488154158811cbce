import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { CurrentOrganization, Policy } from "../../../src/server/index.ts"

/** Belongs to the tenant: who may read reports in one organization, reads those of no other. */
const ReadReports = Tool.make("readReports", {
  description: "Reads the reports of the organization.",
  success: Schema.Struct({ of: Schema.NullOr(Schema.String) }),
  dependencies: [CurrentOrganization]
}).annotate(Policy.Required, Policy.permission("org:reports:read"))

export const toolkit = Toolkit.make(ReadReports)

export const layer = toolkit.toLayer({
  readReports: () =>
    Effect.map(CurrentOrganization, (found) => ({
      of: Option.match(found, { onNone: () => null, onSome: ({ name }) => name })
    }))
})
