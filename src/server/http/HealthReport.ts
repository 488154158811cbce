import * as Schema from "effect/Schema"

/** What can be wrong with a part. `clerk-mcp doctor` says of each what it means. */
export const HealthProblem = Schema.Literals([
  /** No answer, or none in time. */
  "unreachable",
  /** It refuses the credentials. */
  "refused",
  /** An answer that means nothing here. */
  "unexpected",
  /** The Frontend API and the secret key are of two Clerk instances. */
  "other-instance",
  /** The Clerk instance has no OAuth application with the client id. */
  "no-application",
  /** The OAuth application does not know this server's callback. */
  "no-redirect",
  /** The OAuth application lacks the scope `openid`. */
  "no-openid",
  /** Its secret is not set. */
  "not-set",
  /** What was written is not what is read. */
  "not-kept"
])
export type HealthProblem = typeof HealthProblem.Type

/** One part of a server: whether it works, and what is known of it. `millis` is how long it took to find out. */
export const HealthCheck = Schema.Struct({
  problem: Schema.optionalKey(HealthProblem),
  /** Clerk's code or status, where it said one. */
  code: Schema.optionalKey(Schema.String),
  /** Of the Backend API: whether Organizations are on. */
  organizations: Schema.optionalKey(Schema.Boolean),
  /** Of webhooks: when one came last, in ISO 8601, within ten minutes. */
  lastDelivery: Schema.optionalKey(Schema.String),
  millis: Schema.Finite
})
export type HealthCheck = typeof HealthCheck.Type

export const healthParts = ["clerkApi", "clerkKeys", "clerkApplication", "webhooks", "kv", "object"] as const
export type HealthPart = (typeof healthParts)[number]

/** What `/health` tells operators. Settings that are secret or bindings are told as `set` only. */
export const HealthReport = Schema.Struct({
  status: Schema.Literals(["ok", "failing"]),
  name: Schema.String,
  version: Schema.String,
  /** The server's time, in ISO 8601. */
  time: Schema.String,
  checks: Schema.Record(Schema.String, HealthCheck),
  settings: Schema.Record(Schema.String, Schema.String)
})
export type HealthReport = typeof HealthReport.Type
