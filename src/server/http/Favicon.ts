import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { PageBrand } from "./PageBrand.ts"

/**
 * `GET /favicon.svg`, and `/favicon.ico`, for which browsers ask unasked: the picture of the server, for tabs and for
 * clients. Opened by itself it can run and fetch nothing.
 */
export const favicon = Effect.map(PageBrand, ({ icon }) =>
  HttpServerResponse.text(icon, {
    contentType: "image/svg+xml",
    headers: {
      "cache-control": "public, max-age=86400",
      "content-security-policy": "default-src 'none'; img-src data:"
    }
  })
)
