import { isLoopback } from "../config/AppConfig.ts"

/** The schemes of apps that are known to wait for a code under a scheme without a domain name in it. */
const knownApps = new Set([
  "claude:",
  "cursor:",
  "goose:",
  "jetbrains:",
  "raycast:",
  "vscode:",
  "vscode-insiders:",
  "windsurf:",
  "zed:"
])

/** A scheme that an app took from a domain name of its own, as it has to (RFC 8252, section 7.1): `com.example.app`. */
const isAppScheme = (protocol: string): boolean =>
  knownApps.has(protocol) || /^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+:$/u.test(protocol)

/**
 * The one rule for redirect URIs, at registration and at `/authorize`: https, http on a loopback host, or an app's own
 * scheme (RFC 8252, section 7), without userinfo and without a fragment (RFC 6749, section 3.1.2). Other schemes start
 * whatever the device does with them.
 */
export const isRedirectUri = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url !== null &&
    // Surrounding spaces and control characters, which URL parsers strip.
    !/[\p{Cc}#]|^\s|\s$/u.test(text) &&
    url.username + url.password === "" &&
    (url.protocol === "https:" || (url.protocol === "http:" ? isLoopback(url.hostname) : isAppScheme(url.protocol)))
  )
}

/** The rule in words. */
export const redirectUriRule =
  "A redirect URI is https, http on a loopback host such as localhost, or has an app's own scheme"

/**
 * Who receives the code, in words for a person: a host, or the scheme of an app on the device (whose address may hold a
 * host, but nobody owns it).
 */
export const receiverOf = (redirectUri: string): { readonly name: string; readonly ownScheme: boolean } => {
  const { host, protocol } = new URL(redirectUri)
  const ownScheme = protocol !== "https:" && protocol !== "http:"
  return { name: ownScheme ? protocol : host, ownScheme }
}
