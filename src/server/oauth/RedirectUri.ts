import { isLoopback } from "../config/AppConfig.ts"

/** Schemes that name a document or an action, never an app that waits for a code. */
const noApp = new Set(["javascript:", "data:", "vbscript:", "file:", "mailto:", "blob:"])

/**
 * The one rule for redirect URIs, by which the library checks authorization requests too: https, http on a loopback
 * host, or an app's own scheme (RFC 8252, section 7), without userinfo and without a fragment (RFC 6749, 3.1.2).
 */
export const isRedirectUri = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url !== null &&
    // Spaces around it and control characters, which a parser of addresses takes away.
    !/[\p{Cc}#]|^\s|\s$/u.test(text) &&
    url.username + url.password === "" &&
    !noApp.has(url.protocol) &&
    (url.protocol !== "http:" || isLoopback(url.hostname))
  )
}

/**
 * Who gets the code, as a person reads it: a host, or the scheme of an app on the device. The host in such an address
 * belongs to nobody.
 */
export const receiverOf = (redirectUri: string): { readonly name: string; readonly ownScheme: boolean } => {
  const { host, protocol } = new URL(redirectUri)
  const ownScheme = protocol !== "https:" && protocol !== "http:"
  return { name: ownScheme ? protocol : host, ownScheme }
}
