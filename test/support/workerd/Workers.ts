import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { dirname } from "node:path"
import { unstable_readConfig as readConfig } from "wrangler"

import { places, type Place } from "./Places.ts"

interface RateLimitConfig {
  readonly name: string
  readonly namespace_id: string
  readonly simple: { readonly limit: number; readonly period: 10 | 60 }
}

/** Fixed, so that what one isolate signed is good at the other. None of the secrets is real. */
const signingKeys = `tests:${btoa("the one key of the workerd tests, 32 bytes or more")}`

/**
 * Runs tests inside workerd, beside the bundled Workers. The Workers run with the compatibility flags that they are
 * deployed with; the plugin changes those of the tests' own isolate, in which promises are settled in whatever
 * request settles them, so what concerns several requests can be tested on a Worker beside it only.
 */
export const workers = cloudflareTest(({ inject }) => {
  const { compatibility_date: compatibilityDate = "", compatibility_flags: compatibilityFlags } = readConfig(
    { config: "./test/server/fixture/wrangler.jsonc" },
    { hideWarnings: true }
  )
  const { ratelimits: limits } = readConfig({ config: "./wrangler.jsonc" }, { hideWarnings: true })
  const ratelimits = Object.fromEntries(limits.map(({ name, ...limit }: RateLimitConfig) => [name, limit]))
  const bundles = inject("bundles")
  const bindings = {
    ...inject("clerkSettings"),
    PUBLIC_URL: places.app,
    SIGN_IN: "clerk",
    FIXTURE_COLOUR: "red",
    STATE_SIGNING_KEYS: signingKeys
  }
  /** The isolates of a deployed Worker share the objects of its users. */
  const accounts = { className: "AccountObject", useSQLite: true } as const
  const module = (name: string, scriptPath: string) => ({
    name,
    modules: true as const,
    scriptPath,
    modulesRoot: dirname(scriptPath),
    compatibilityDate,
    compatibilityFlags,
    outboundService: "internet"
  })
  const configured = (name: Place, scriptPath: string, more: Readonly<Record<string, string>> = {}) => ({
    ...module(name, scriptPath),
    bindings: { ...bindings, ...more },
    // The isolates of a deployed Worker share the objects of its users.
    durableObjects: { ACCOUNT_AGENT: name === "app" ? accounts : { ...accounts, scriptName: "app" } },
    kvNamespaces: { OAUTH_KV: "workerd-tests" }
  })
  const { outboundService: _, ...internet } = module("internet", bundles.internet)

  return {
    // workerd would report every request that a test abandons or that fails on purpose.
    verbose: false,
    miniflare: {
      compatibilityDate,
      compatibilityFlags: [...compatibilityFlags],
      outboundService: "internet",
      workers: [
        configured("app", bundles.worker),
        configured("otherIsolate", bundles.worker),
        configured("waitingModel", bundles.waitingModel),
        module("notSetUp", bundles.worker),
        { ...configured("limited", bundles.worker), ratelimits },
        configured("publishedOnly", bundles.worker, { CLIENT_REGISTRATION: "published" }),
        { ...internet, serviceBindings: Object.fromEntries(Object.keys(places).map((name) => [name, name])) }
      ]
    }
  }
})
