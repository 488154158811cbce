import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { randomSecret } from "./Ids.ts"

export interface ClerkErrorEntry {
  readonly message: string
  readonly longMessage: string
  readonly code: string
  readonly meta?: { readonly [name: string]: string }
}

/** The error body of both of Clerk's APIs (`ClerkErrors` in its OpenAPI files). */
export const clerkErrors = (
  status: number,
  errors: ReadonlyArray<ClerkErrorEntry>,
  headers: { readonly [name: string]: string } = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(
    {
      errors: errors.map((error) => ({
        message: error.message,
        long_message: error.longMessage,
        code: error.code,
        meta: error.meta ?? {}
      })),
      clerk_trace_id: randomSecret(32).toLowerCase()
    },
    { status, headers }
  )
