import * as Effect from "effect/Effect"

import { AppConfig, isLoopback } from "../config/AppConfig.ts"
import { isAddress } from "./ClientDocument.ts"
import { isRedirectUri, receiverOf } from "./RedirectUri.ts"

/** A client, as far as these rules look at it. One that registers has no id yet. */
interface Client {
  readonly clientId?: string
  readonly redirectUris: ReadonlyArray<string>
}

/** Which clients may connect. */
export interface ClientRules {
  /** Whether clients may register (RFC 7591). */
  readonly registration: boolean
  /** Whether a client may have an app's own scheme in a redirect URI (RFC 8252, section 7.1). */
  readonly privateUse: boolean
  /** Whether all redirect URIs of a client count, beside the one that is used. */
  readonly byHosts: boolean
  /** Those redirect URIs that can be registered, whatever their hosts. */
  readonly taken: (redirectUris: ReadonlyArray<string>) => ReadonlyArray<string>
  /** Why a client may not connect: a sentence without its full stop, for people and for `error_description`. */
  readonly faultOf: (client: Client) => string | undefined
}

/** Where clients have to be published, what all others are told. */
export const publishedOnly =
  "This server takes only apps that publish a client metadata document and have its address as their client_id"

/** What a client is told whose redirect URIs all have an app's own scheme, where that is refused. */
export const noPrivateUse = "This server takes no redirect URI with an app's own scheme"

/**
 * The rules as the settings have them. They hold at registration and again at each authorization: a client may have
 * registered under other settings.
 */
export const makeClientRules = Effect.map(
  AppConfig,
  ({ CLIENT_REGISTRATION: mode, CLIENT_HOSTS, PRIVATE_USE_REDIRECTS }): ClientRules => {
    const registration = mode !== "published"
    const privateUse = PRIVATE_USE_REDIRECTS !== "refuse"
    const byHosts = mode === "hosts"
    const hosts = new Set(CLIENT_HOSTS?.split(",").map((host) => host.trim()))
    const isListed = ({ hostname }: URL) => hosts.has(hostname) || (isLoopback(hostname) && hosts.has("localhost"))
    const unlisted = ({ host }: URL, what: string) => `${what} is on ${host}, whose apps may not connect to this server`

    const faultOfId = (clientId: string): string | undefined => {
      if (!isAddress(clientId)) return registration ? undefined : publishedOnly
      const address = new URL(clientId)
      return byHosts && !isListed(address) ? unlisted(address, "The app's description") : undefined
    }

    const faultOfRedirect = (redirectUri: string): string | undefined => {
      const { name, ownScheme } = receiverOf(redirectUri)
      if (ownScheme && !privateUse) return noPrivateUse
      if (!byHosts) return undefined
      if (ownScheme) return `Apps may connect to this server by their hosts, and a redirect URI with ${name} has none`
      const address = new URL(redirectUri)
      return isListed(address) ? undefined : unlisted(address, "A redirect URI of the app")
    }

    return {
      registration,
      privateUse,
      byHosts,
      taken: (redirectUris) =>
        redirectUris.filter((uri) => isRedirectUri(uri) && (privateUse || !receiverOf(uri).ownScheme)),
      faultOf: ({ clientId, redirectUris }) =>
        [clientId === undefined ? undefined : faultOfId(clientId), ...redirectUris.map(faultOfRedirect)].find(
          (fault) => fault !== undefined
        )
    }
  }
)
