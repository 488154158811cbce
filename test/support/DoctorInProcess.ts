import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"

import { examine } from "../../dev/doctor/Doctor.ts"
import { platform } from "./LocalServer.ts"

/** Answers requests, as a server's handler does. */
type Handler = (request: Request) => Promise<Response>

/** Has doctor look at a server of this process, with these keys. */
export const examineHandler = (url: string, handler: Handler, keys: string) => {
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    request.headers.set("host", new URL(request.url).host)
    const response = await handler(request)
    const headers = new Headers(response.headers)
    if (!headers.has("date")) headers.set("date", new Date().toUTCString())
    const { status } = response
    return new Response(status === 204 || request.method === "HEAD" ? null : await response.text(), { status, headers })
  }
  return Effect.runPromise(
    examine(new URL(url)).pipe(
      Effect.provideService(FetchHttpClient.Fetch, fetch),
      Effect.provide(platform),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ STATE_SIGNING_KEYS: keys }))
    )
  )
}
