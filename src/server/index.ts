/**
 * What a team writes tools, resources and prompts with. Together with `Worker.ts`, which makes a server of them, it is
 * the public surface of the library: nothing else is reachable from outside.
 */
export type { ServerDefinition } from "./Server.ts"
export * as Settings from "./config/Settings.ts"

export * as Policy from "./access/Policy.ts"
export { CurrentOrganization } from "./access/CurrentOrganization.ts"
export { CurrentUser } from "./access/CurrentUser.ts"
export { ClientId, CurrentPrincipal, GrantId, ClerkSessionId, OrganizationId, UserId } from "./domain/Principal.ts"
export { Role } from "./domain/Role.ts"

export { Catalogue } from "./mcp/Catalogue.ts"
export { type Middleware, type ToolCall, ToolMiddleware, ToolRefused } from "./capability/ToolMiddleware.ts"
export { CallLimit } from "./capability/CallLimit.ts"
export { ResultLimit } from "./capability/ResultLimit.ts"
export * as Resource from "./capability/Resource.ts"
export * as ResourceTemplate from "./capability/ResourceTemplate.ts"
export * as PromptTemplate from "./capability/PromptTemplate.ts"
export { NotFound } from "./capability/Content.ts"
export * as Completion from "./capability/Completion.ts"

export { Elicitation } from "./capability/Elicitation.ts"
export * as Question from "./capability/Question.ts"
export { Progress } from "./capability/Progress.ts"
export { ClientLog } from "./capability/ClientLog.ts"
export { AppApi } from "./capability/AppApi.ts"
export { AppApiError, AppForbidden, AppRefused } from "./capability/AppApiError.ts"
export { UserGrants, GrantsUnavailable } from "./capability/UserGrants.ts"
export { UserStore, UserStoreError } from "./capability/UserStore.ts"
