import { assert, it } from "@effect/vitest"
import { unstable_readConfig as readConfig } from "wrangler"

interface RateLimitConfig {
  readonly name: string
  readonly namespace_id: string
  readonly simple: { readonly limit: number; readonly period: number }
}

for (const config of ["wrangler.jsonc", "template/wrangler.jsonc"]) {
  it(`${config} has every rate limit of the server, in each environment`, () => {
    for (const env of [undefined, "local"]) {
      const read = readConfig({ config, ...(env !== undefined && { env }) }, { hideWarnings: true })
      const ratelimits: ReadonlyArray<RateLimitConfig> = read.ratelimits
      assert.deepStrictEqual(
        ratelimits.map(({ name, simple }) => [name, simple.limit, simple.period]),
        [
          ["RATE_LIMIT_REGISTER", 30, 60],
          ["RATE_LIMIT_AUTHORIZE", 120, 60],
          ["RATE_LIMIT_TOKEN", 600, 60],
          ["RATE_LIMIT_WEBHOOK", 1200, 60],
          ["RATE_LIMIT_USER", 600, 60]
        ]
      )
      assert.lengthOf(new Set(ratelimits.map(({ namespace_id: id }) => id)), ratelimits.length)
    }
  })
}
