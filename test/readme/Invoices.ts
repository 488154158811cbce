// src/tools/Invoices.ts
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { CurrentOrganization, type OrganizationId, Policy } from "../../src/server/index.ts"

export class Books extends Context.Service<
  Books,
  { readonly openInvoices: (of: OrganizationId) => Effect.Effect<number> }
>()("acme/Books") {}

const OpenInvoices = Tool.make("openInvoices", {
  description: "How many invoices of your organization are open.",
  success: Schema.Struct({ organization: Schema.String, open: Schema.Int }),
  dependencies: [CurrentOrganization]
}).annotate(Policy.Required, Policy.any(Policy.permission("org:invoices:read"), Policy.organizationRole("org:admin")))

export const toolkit = Toolkit.make(OpenInvoices)

export const layer = toolkit.toLayer(
  Effect.map(Books, (books) => ({
    openInvoices: Effect.fnUntraced(function* () {
      const { id, name } = yield* CurrentOrganization.required
      return { organization: name, open: yield* books.openInvoices(id) }
    })
  }))
)
