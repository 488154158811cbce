/** The name of a scope (RFC 6749, section 3.3). `ServerInfo` tells which ones this server grants. */
export type Scope = string

/** The scope that every client needs, and the only one that a challenge asks for unprompted. */
export const baseline: Scope = "mcp:tools"
