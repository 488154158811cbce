import { type ClientBehaviour, behaviours, knownClients } from "../../src/server/clients/KnownClients.ts"
import { isLoopback } from "../../src/server/config/AppConfig.ts"

/** The server that is looked at. */
export interface Target {
  readonly origin: string
  /** Whether it runs on this machine: it need not have TLS, nor reach the internet. */
  readonly local: boolean
}

export const targetOf = (url: URL): Target => ({ origin: url.origin, local: isLoopback(url.hostname) })

/** The titles of the clients that behave so, as far as that is known. */
export const clientsThat = (behaves: (behaviour: ClientBehaviour) => boolean): ReadonlyArray<string> =>
  knownClients.flatMap(({ id, title }) => {
    const behaviour = behaviours[id]
    return behaviour !== undefined && behaves(behaviour) ? [title] : []
  })

/** The resources of a server: every address that clients connect to. The last one stands for that of any organization. */
export const resources = ["/mcp", "/sse", "/mcp/any-organization"] as const
