import * as Effect from "effect/Effect"

import { AuthorizationServer } from "../oauth/AuthorizationServer.ts"
import { SignIn } from "../oauth/SignIn.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { redirect } from "./Page.ts"
import { webRequest } from "./WebRequest.ts"

/** `GET /callback`: the browser is back from the sign-in; the client gets its code (RFC 6749, section 4.1.2). */
export const finish = Effect.gen(function* () {
  const server = yield* AuthorizationServer
  const signIn = yield* SignIn
  const { authRequest, subject, headers } = yield* signIn.finish(yield* webRequest)
  return redirect(yield* server.complete(authRequest, subject), headers)
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))
