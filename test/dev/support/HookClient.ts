import * as Effect from "effect/Effect"

/** Calls the stand-in's hooks over HTTP: a GET, or a POST if there is a body. */
export const hookClient =
  (url: string) =>
  (path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Effect.Effect<Response> =>
    Effect.promise(() =>
      fetch(
        `${url}/_stand-in/${path}`,
        body === undefined
          ? {}
          : { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) }
      )
    )
