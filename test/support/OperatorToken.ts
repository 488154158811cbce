import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { type Purpose, StateSigner } from "../../src/server/oauth/StateSigner.ts"
import { testConfig } from "./TestConfig.ts"

interface Signing {
  readonly audience?: string
  readonly purpose?: Purpose
  readonly lifetime?: Duration.Duration
  readonly keys?: string
}

/** What an operator of the test server signs, unless it is to be something else. */
export const operatorToken = ({
  audience = "https://mcp.example.com",
  purpose = "operator",
  lifetime = Duration.minutes(1),
  keys
}: Signing = {}) =>
  Effect.runPromise(
    Effect.flatMap(StateSigner, (signer) => signer.sign(purpose, audience, lifetime)).pipe(
      Effect.provide(
        StateSigner.layer.pipe(Layer.provide(testConfig(keys === undefined ? {} : { STATE_SIGNING_KEYS: keys })))
      )
    )
  )
