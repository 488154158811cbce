import type { CurrentOrganization } from "../access/CurrentOrganization.ts"
import type { CurrentUser } from "../access/CurrentUser.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"
import type { Elicitation } from "./Elicitation.ts"

/**
 * What a tool, a resource or a prompt may ask for about the request that it serves. Whatever else it needs is taken once,
 * when the catalogue is built.
 */
export type RequestServices = CurrentUser | CurrentOrganization | CurrentPrincipal | Elicitation
