import * as Context from "effect/Context"

import type { UserSnapshot } from "./UserSnapshot.ts"

/** The current facts about the user who called. Provided to tools, resources and prompts once their policy allows. */
export class CurrentUser extends Context.Service<CurrentUser, UserSnapshot>()("access/CurrentUser") {}
