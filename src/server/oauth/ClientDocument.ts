import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"

import { AuthorizationFailure, ClientUnreachable, ClientUnverifiable } from "./AuthorizationFailure.ts"

const unverifiable = (detail: string) =>
  Effect.fail(new AuthorizationFailure({ reason: new ClientUnverifiable({ detail }) }))

const unreachable = (detail: string) =>
  Effect.fail(new AuthorizationFailure({ reason: new ClientUnreachable({ detail }) }))

/** Whether a `client_id` is the address of a client's metadata document, by the rule of the library, which reads it. */
export const isAddress = (clientId: string): boolean =>
  URL.canParse(clientId) && new URL(clientId).protocol === "https:"

/**
 * Fails unless a client's metadata document is served by its own address, with 200 and without a redirect: an address
 * that leads on to anybody's document would lend that document its verified domain (CIMD draft, Client Information
 * Discovery). The library, which reads the document, follows redirects.
 */
export const servedByItsAddress = Effect.fn("ClientDocument.servedByItsAddress")(
  function* (publicUrl: URL, clientId: string) {
    const http = yield* HttpClient.HttpClient
    if (new URL(clientId).origin === publicUrl.origin) return yield* unverifiable("an address of this server")
    if (new URL(clientId).href !== clientId) return yield* unverifiable("not written in its canonical form")
    const { status } = yield* http.get(clientId)
    if (status !== 200) return yield* unverifiable(`status ${status}`)
  },
  Effect.scoped,
  Effect.timeout("10 seconds"),
  Effect.catchTags({
    HttpClientError: () => unreachable("no answer"),
    TimeoutError: () => unreachable("no answer in time")
  }),
  Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
)
