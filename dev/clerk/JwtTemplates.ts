import type * as Schema from "effect/Schema"
import type { ClerkUser } from "./Directory.ts"
import type { Membership } from "./Organizations.ts"

/** The claims of a JWT template as they are entered in Clerk: JSON, with shortcodes such as `{{user.id}}` in strings. */
export interface JwtTemplate {
  readonly [claim: string]: string | number | boolean | null
}

/** The template that teams create for the MCP server. `appUrl` is what the application calls itself: its `APP_URL`. */
export const mcpServerTemplate = (appUrl: string): JwtTemplate => ({
  aud: appUrl,
  email: "{{user.primary_email_address}}",
  role: "{{user.public_metadata.role}}"
})

const valueOf = (shortcode: string, user: ClerkUser, membership: Membership | undefined): Schema.Json => {
  if (shortcode.startsWith("user.public_metadata.")) {
    return user.publicMetadata[shortcode.slice("user.public_metadata.".length)] ?? null
  }
  switch (shortcode) {
    case "user.id":
      return user.id
    case "user.primary_email_address":
      return user.email
    case "user.first_name":
      return user.firstName
    case "user.last_name":
      return user.lastName
    case "user.public_metadata":
      return user.publicMetadata
    case "org.id":
      return membership?.organization.id ?? null
    case "org.slug":
      return membership?.organization.slug ?? null
    case "org.name":
      return membership?.organization.name ?? null
    case "org.role":
      return membership?.role ?? null
    case "org_membership.permissions":
      return membership?.permissions ?? null
    default:
      return null
  }
}

/**
 * A string that is one shortcode takes its value, of whatever type; what has no value is null, as in Clerk. `membership`
 * is the one in the session's active organization.
 */
export const templateClaims = (
  template: JwtTemplate,
  user: ClerkUser,
  membership: Membership | undefined
): Readonly<Record<string, Schema.Json>> =>
  Object.fromEntries(
    Object.entries(template).map(([claim, value]) => {
      const shortcode = typeof value === "string" ? /^\{\{\s*([a-z_.]+)\s*\}\}$/.exec(value)?.[1] : undefined
      return [claim, shortcode === undefined ? value : valueOf(shortcode, user, membership)]
    })
  )
