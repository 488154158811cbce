import * as Schema from "effect/Schema"

/** The slug of an organization, as it stands in an address. */
const Slug = Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9_-]{0,127}$/u))
const isSlug = Schema.is(Slug)

/**
 * The protected resources (RFC 8707). A token of one is worth nothing at another. One with the slug of an organization is
 * `/mcp` for that organization alone.
 */
export type Resource = "/mcp" | "/sse" | `/mcp/${string}`

/** The identifier of a resource, which is also the address that clients connect to. */
export const address = (publicUrl: URL, resource: Resource): string => new URL(resource, publicUrl).href

/** The resource that has this path; `undefined` where none can have it. Whether there is such an organization is not told. */
export const resourceAt = (pathname: string): Resource | undefined => {
  if (pathname === "/mcp" || pathname === "/sse") return pathname
  const [, slug = ""] = /^\/mcp\/([^/]*)$/u.exec(pathname) ?? []
  return isSlug(slug) ? `/mcp/${slug}` : undefined
}

/** The resource that has this identifier. */
export const resourceOf = (publicUrl: URL, identifier: string): Resource | undefined => {
  const url = URL.parse(identifier)
  const resource = url?.origin === publicUrl.origin ? resourceAt(url.pathname) : undefined
  return resource !== undefined && address(publicUrl, resource) === identifier ? resource : undefined
}

/** The slug of the organization that a resource is for; `undefined` where people choose. */
export const slugOf = (resource: Resource | undefined): string | undefined =>
  resource?.startsWith("/mcp/") === true ? resource.slice("/mcp/".length) : undefined

/**
 * What clients mean by `resource`: some send the server's origin, with or without a slash, for its main resource.
 */
export const intended = (publicUrl: URL, asked: string): string =>
  asked === publicUrl.origin || asked === publicUrl.href ? address(publicUrl, "/mcp") : asked
