import { type ClerkClient, createClerkClient } from "@clerk/backend"
import { isClerkAPIResponseError } from "@clerk/backend/errors"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ClerkStandIn } from "../../../dev/clerk/ClerkStandIn.ts"
import { rejection } from "./OAuthClient.ts"

/** The real SDK, pointed at the stand-in. */
export const backendClient = Effect.map(ClerkStandIn, ({ settings, url }): ClerkClient =>
  createClerkClient({
    secretKey: settings.CLERK_SECRET_KEY,
    publishableKey: settings.CLERK_PUBLISHABLE_KEY,
    apiUrl: url,
    telemetry: { disabled: true }
  })
)

/** The SDK's error for a refused call, with its status and first code. */
export const refusedCall = (evaluate: () => Promise<unknown>) =>
  Effect.map(rejection(evaluate), (error) => {
    if (!isClerkAPIResponseError(error)) return assert.fail(`not an error of the Backend API: ${String(error)}`)
    return {
      status: error.status,
      code: error.errors[0]?.code,
      parameter: error.errors[0]?.meta?.paramName,
      retryAfter: error.retryAfter,
      traceId: error.clerkTraceId
    }
  })
