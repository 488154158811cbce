import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { ClerkApi } from "../../src/server/clerk/ClerkApi.ts"
import { ClerkError, UserNotFound } from "../../src/server/clerk/ClerkError.ts"

const user = () => Effect.fail(new ClerkError({ reason: new UserNotFound() }))
const memberships = () => Effect.succeed([])

/** The layer of one's own that the README names. */
export const own = Layer.mock(ClerkApi, { user, memberships })
