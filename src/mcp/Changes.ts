import * as Context from "effect/Context"
import type * as Stream from "effect/Stream"

import type { Identity } from "../domain/Identity.ts"

/** Tells when what a user may use has changed, and with it the lists of tools, resources and prompts. */
export class Changes extends Context.Service<
  Changes,
  {
    /** An element for each change from now on. Ends with the grant of the connection, or when nobody can tell. */
    readonly follow: (identity: Identity) => Stream.Stream<void>
  }
>()("mcp/Changes") {}
