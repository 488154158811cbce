import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

import type { Principal } from "../domain/Principal.ts"

/** Nobody is told of changes for this user or this client now. `answer` says why: a JSON-RPC error for the client. */
export class ChangesRefused extends Data.TaggedError("ChangesRefused")<{ readonly answer: Response }> {}

/** Tells when what a user may use has changed, and with it the lists of tools, resources and prompts. */
export class Changes extends Context.Service<
  Changes,
  {
    /**
     * One element or more for each change from now on that the server notices. It notices a change when facts about the
     * user that were asked of Clerk for a request, in whatever lane, differ from those that were known in the same place
     * before. Nobody asks for a follower's sake while the user's clients are idle. Ends with the grant of the connection,
     * or when nobody can tell any more.
     */
    readonly follow: (principal: Principal) => Effect.Effect<Stream.Stream<void>, ChangesRefused>
  }
>()("mcp/Changes") {}
