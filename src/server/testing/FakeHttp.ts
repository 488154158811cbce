import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"

/** Answer with it where the network is to fail. */
export const networkDown = Symbol("the network is down")

/** `HttpClient` as a function, for services that call an API: every request goes to `answer`. */
export const fakeHttp = (answer: (request: Request) => Effect.Effect<Response | typeof networkDown>) =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.gen(function* () {
        const response = yield* answer(yield* Effect.orDie(HttpClientRequest.toWeb(request)))
        if (response !== networkDown) return HttpClientResponse.fromWeb(request, response)
        const reason = new HttpClientError.TransportError({ request, description: "connection refused" })
        return yield* new HttpClientError.HttpClientError({ reason })
      })
    )
  )
