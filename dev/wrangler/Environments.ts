import type * as Schema from "effect/Schema"

/** A configuration of wrangler's, or a part of one. */
export interface Config {
  readonly [name: string]: Schema.Json
}

export const isConfig = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The part, or one without anything in it. */
export const partOf = (value: unknown): Config => (isConfig(value) ? value : {})

/** What wrangler does not inherit into an environment: all of it has to stand there once more. */
export const notInherited = [
  "kv_namespaces",
  "durable_objects",
  "ratelimits",
  "d1_databases",
  "r2_buckets",
  "queues",
  "services",
  "workflows",
  "hyperdrive",
  "vectorize",
  "analytics_engine_datasets",
  "send_email",
  "ai",
  "browser",
  "images",
  "media",
  "stream",
  "pipelines",
  "secrets_store_secrets",
  "mtls_certificates",
  "dispatch_namespaces",
  "worker_loaders",
  "vpc_services",
  "tail_consumers",
  "streaming_tail_consumers",
  "version_metadata",
  "vpc_networks",
  "containers",
  "cloudchamber",
  "connect",
  "ai_search",
  "ai_search_namespaces",
  "agent_memory",
  "analytics",
  "artifacts",
  "flagship",
  "unsafe_hello_world",
  "define",
  "secrets",
  "unsafe",
  "vars"
]

/** Bindings that lead to Cloudflare even from a laptop, so that `local` may be without them. */
const atCloudflareOnly = new Set([
  "ai",
  "vectorize",
  "media",
  "mtls_certificates",
  "dispatch_namespaces",
  "vpc_services",
  "vpc_networks"
])

/** What of a binding says which resource it leads to: every environment has its own. */
const ofTheResource = new Set([
  "id",
  "preview_id",
  "database_id",
  "database_name",
  "preview_database_id",
  "bucket_name",
  "preview_bucket_name",
  "namespace_id",
  "index_name",
  "dataset",
  "queue",
  "dead_letter_queue",
  "service",
  "environment",
  "pipeline",
  "store_id",
  "certificate_id",
  "namespace",
  "localConnectionString"
])

/** A variable of an environment that is tried on a stand-in for Clerk; no other has it. */
const ofAStandIn = "CLERK_API_URL"

/** Settings that no two environments have in common, so that none is copied from another. */
const ofEachEnvironment = new Set(["PUBLIC_URL", "APP_URL", "CLERK_FRONTEND_API", "CLERK_CLIENT_ID"])

/** The name of the environment that is the top level of the file, unless the file has one of that name. */
const topLevel = "production"

export const environmentsOf = (config: Config): Readonly<Record<string, Config>> => {
  const all = Object.entries(partOf(config["env"]))
  return Object.fromEntries(all.flatMap(([name, one]) => (isConfig(one) ? [[name, one] as const] : [])))
}

/** Where an environment stands in a file, what `wrangler --env` takes for it, and what its Worker is called. */
export const placeOf = (config: Config, name: string) => {
  const server = typeof config["name"] === "string" ? config["name"] : "worker"
  const block = environmentsOf(config)[name]
  if (name === topLevel && block === undefined) return { path: [], flag: "", worker: server, block: config }
  const worker = typeof block?.["name"] === "string" ? block["name"] : `${server}-${name}`
  return { path: ["env", name], flag: name, worker, block }
}

const labelOf = (entry: Schema.Json): string => {
  if (!isConfig(entry)) return JSON.stringify(entry)
  const name = entry["binding"] ?? entry["name"] ?? entry["queue"]
  return typeof name === "string" ? name : JSON.stringify(entry)
}

/** The entries of one kind of bindings, each with a name for it. */
const entriesOf = (kind: string, value: Schema.Json | undefined): ReadonlyArray<readonly [string, Schema.Json]> => {
  if (value === undefined) return []
  if (kind === "vars" && isConfig(value)) {
    return Object.keys(value).flatMap((name) => (name === ofAStandIn ? [] : [[`the variable ${name}`, null]]))
  }
  if (Array.isArray(value)) return value.map((entry: Schema.Json) => [`${kind} ${labelOf(entry)}`, entry])
  if (isConfig(value) && Object.values(value).some(Array.isArray)) {
    return Object.entries(value).flatMap(([part, entries]) => entriesOf(`${kind}.${part}`, entries))
  }
  return [[kind, value]]
}

const isOfResource = ([field]: readonly [string, unknown]) => ofTheResource.has(field)

const withoutResource = (entry: Schema.Json): Schema.Json =>
  isConfig(entry)
    ? Object.fromEntries(
        Object.entries(entry)
          .filter((field) => !isOfResource(field))
          .toSorted(([one], [other]) => one.localeCompare(other))
      )
    : entry

const mayLack = (environment: string, kind: string) => environment === "local" && atCloudflareOnly.has(kind)

/** In a sentence each: what an environment says otherwise than the top level, but for which resources and values it uses. */
const differencesIn = (config: Config, environment: string, block: Config): ReadonlyArray<string> =>
  notInherited.flatMap((kind) => {
    if (block[kind] === undefined && mayLack(environment, kind)) return []
    const above = new Map(entriesOf(kind, config[kind]))
    const here = new Map(entriesOf(kind, block[kind]))
    const lacking = [...above.keys()].filter((label) => !here.has(label))
    const extra = [...here.keys()].filter((label) => !above.has(label))
    const changed = [...here].filter(([label, entry]) => {
      const wanted = above.get(label)
      return wanted !== undefined && JSON.stringify(withoutResource(wanted)) !== JSON.stringify(withoutResource(entry))
    })
    return [
      ...lacking.map((label) => `env.${environment} lacks ${label}, which the top level has.`),
      ...extra.map((label) => `env.${environment} has ${label}, which the top level lacks.`),
      ...changed.map(
        ([label, entry]) =>
          `env.${environment} has ${label} as ${JSON.stringify(withoutResource(entry))}, the top level as ${JSON.stringify(withoutResource(above.get(label) ?? null))}.`
      )
    ]
  })

/** In a sentence each: where the environments of a file differ from its top level although they should not. */
export const differences = (config: Config): ReadonlyArray<string> =>
  Object.entries(environmentsOf(config)).flatMap(([name, block]) => differencesIn(config, name, block))

/** An entry as the top level has it, with the resource that the environment uses. */
const mended = (wanted: Schema.Json, present: Schema.Json | undefined, keepsResource: boolean): Schema.Json => {
  if (!isConfig(wanted)) return wanted
  const own = isConfig(present) ? Object.entries(present).filter(isOfResource) : []
  const fields = Object.entries(wanted).filter((field) => keepsResource || !isOfResource(field))
  return { ...Object.fromEntries(fields), ...Object.fromEntries(own) }
}

const derivedKind = (kind: string, above: Schema.Json, here: Schema.Json | undefined): Schema.Json => {
  if (Array.isArray(above)) {
    const own = new Map(entriesOf(kind, here))
    const wanted = entriesOf(kind, above)
    const labels = new Set(wanted.map(([label]) => label))
    return [
      // The ids of rate limits are numbers that a team chooses, and count for each Worker.
      ...wanted.map(([label, entry]) => mended(entry, own.get(label), kind === "ratelimits")),
      ...[...own].flatMap(([label, entry]) => (labels.has(label) ? [] : [entry]))
    ]
  }
  if (isConfig(above) && Object.values(above).some(Array.isArray)) {
    const parts = partOf(here)
    const derived = Object.entries(above).map(([part, value]) => [part, derivedKind(part, value, parts[part])] as const)
    return { ...parts, ...Object.fromEntries(derived) }
  }
  return mended(above, here, false)
}

const derivedVars = (above: Config, here: Config): Config => ({
  ...Object.fromEntries(Object.entries(above).map(([name, value]) => [name, ofEachEnvironment.has(name) ? "" : value])),
  ...here
})

/**
 * An environment as the top level of the file wants it: with all that is not inherited, the resources and values that
 * it has, and what it has beyond. A resource that it does not have yet is left to wrangler, which makes one.
 */
export const derived = (config: Config, environment: string): Config => {
  const block = environmentsOf(config)[environment] ?? {}
  const kinds = notInherited.flatMap((kind) => {
    const above = config[kind]
    const here = block[kind]
    if (above === undefined || (here === undefined && mayLack(environment, kind))) return []
    const value = kind === "vars" && isConfig(above) ? derivedVars(above, partOf(here)) : derivedKind(kind, above, here)
    return [[kind, value] as const]
  })
  return { ...block, ...Object.fromEntries(kinds) }
}
