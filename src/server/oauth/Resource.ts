/** The protected resources (RFC 8707). A token of one is worth nothing at the other. */
export type Resource = "/mcp" | "/sse"

/** The identifier of a resource, which is also the address that clients connect to. */
export const address = (publicUrl: URL, resource: Resource): string => new URL(resource, publicUrl).href

/**
 * What clients mean by `resource`: some send the server's origin, with or without a slash, for its main resource.
 */
export const intended = (publicUrl: URL, asked: string): string =>
  asked === publicUrl.origin || asked === publicUrl.href ? address(publicUrl, "/mcp") : asked
