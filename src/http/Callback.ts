import * as Effect from "effect/Effect"

import type { UserId } from "../domain/Identity.ts"
import { AuthorizationServer } from "../oauth/AuthorizationServer.ts"
import { SignIn } from "../oauth/SignIn.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { askForConsent } from "./Authorize.ts"
import { redirect } from "./Page.ts"
import { webRequest } from "./WebRequest.ts"

/** Whether the person has a connection to this client that was not ended. */
const hasGrant = Effect.fnUntraced(function* (userId: UserId, clientId: string) {
  const server = yield* AuthorizationServer
  const grants = yield* server.grants(userId)
  return grants.some((grant) => grant.clientId === clientId)
})

/** `GET /callback`: the browser is back from the sign-in; the client gets its code (RFC 6749, section 4.1.2). */
export const finish = Effect.gen(function* () {
  const server = yield* AuthorizationServer
  const signIn = yield* SignIn
  const { authRequest, subject, consent, headers } = yield* signIn.finish(yield* webRequest)
  // What a browser remembers was said by somebody. Only now it is known whether by this person, and whether it stands.
  if (consent === "earlier" && !(yield* hasGrant(subject.userId, authRequest.clientId))) {
    return yield* askForConsent(authRequest, headers)
  }
  return redirect(yield* server.complete(authRequest, subject), headers)
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))
