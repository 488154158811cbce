import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { CurrentOrganization, type OrganizationId, Policy } from "../server/index.ts"

/** Where the reports of organizations are. The sample has the same two for everybody. */
export class Reports extends Context.Service<
  Reports,
  { readonly titles: (of: OrganizationId) => Effect.Effect<ReadonlyArray<string>> }
>()("tools/Reports") {
  static readonly layer = Layer.succeed(Reports, {
    titles: () => Effect.succeed(["Sign-ups by week", "Open invoices"])
  })
}

const ListReports = Tool.make("listReports", {
  description: "List the reports of the organization that this connection is for.",
  success: Schema.Struct({ organization: Schema.String, reports: Schema.Array(Schema.String) }),
  dependencies: [CurrentOrganization]
})
  .annotate(Policy.Required, Policy.permission("org:reports:read"))
  .annotate(Tool.Title, "List reports")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(ListReports)

export const layer = toolkit.toLayer(
  Effect.gen(function* () {
    const reports = yield* Reports
    return {
      listReports: Effect.fnUntraced(function* () {
        // Never from the arguments: nobody shall reach the reports of another organization.
        const { id, name } = yield* CurrentOrganization.required
        return { organization: name, reports: yield* reports.titles(id) }
      })
    }
  })
)
