import { assert, it } from "@effect/vitest"
import { unstable_readConfig as readConfig } from "wrangler"

it("the server is deployed with the date and the flags that the library is tested with", () => {
  const read = (config: string) => readConfig({ config }, { hideWarnings: true })
  const [deployed, tested] = [read("wrangler.jsonc"), read("test/server/fixture/wrangler.jsonc")]
  assert.strictEqual(deployed.compatibility_date, tested.compatibility_date)
  assert.deepEqual(deployed.compatibility_flags, tested.compatibility_flags)
  assert.isAtLeast(tested.compatibility_flags.length, 3)
})
