import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { ClientId, GrantId, OrganizationId, UserId } from "../domain/Principal.ts"
import * as Telemetry from "./Telemetry.ts"

/** What a policy said of one message of the protocol, and what became of the message. Holds ids and nothing personal. */
export const Decision = Schema.Struct({
  /** When the message arrived, in milliseconds since 1970. */
  time: Schema.Finite,
  userId: UserId,
  clientId: ClientId,
  grantId: GrantId,
  /** The organization that the grant is for. */
  organizationId: Schema.optionalKey(OrganizationId),
  method: Schema.String,
  /** The name of the tool, prompt, resource or template, as the catalogue has it. Empty for a list. */
  name: Schema.String,
  /** `unknown`: nobody could tell what the user may do. */
  policy: Schema.Literals(["allowed", "missing scopes", "forbidden", "unknown"]),
  /**
   * What the user or the token lacked: all of these scopes where only some are missing, otherwise ways of which each would
   * do, such as `role admin and scope images:generate`.
   */
  lacked: Schema.Array(Schema.String),
  durationMs: Schema.Finite,
  /** `input required`: the answer is a question (MCP, multi-round-trip requests). */
  outcome: Schema.Literals(["completed", "tool error", "defect", "cancelled", "input required", "refused"]),
  /** That of the failure, where there is one; no other record has it. */
  reference: Schema.String
})
export type Decision = typeof Decision.Type

/** Clients that are told apart, by the host of their metadata document. */
const families = ["anthropic.com", "claude.ai", "chatgpt.com", "openai.com", "vscode.dev", "cursor.com", "windsurf.com"]

/** What kind of client it is: a known one, another one with a metadata document, or one that registered itself. */
const familyOf = (clientId: string): string => {
  if (!URL.canParse(clientId)) return "registered"
  const { hostname } = new URL(clientId)
  return families.find((family) => hostname === family || hostname.endsWith(`.${family}`)) ?? "published"
}

/** Addresses of resources are as many as clients make them; names of tools and prompts are the catalogue's. */
const called = ({ method, name, policy, outcome, clientId }: Decision) => ({
  method,
  name: name.includes("://") ? "" : name,
  policy,
  outcome,
  client: familyOf(clientId)
})

/** Sees each record as it is made. The kit for tests listens. */
export const DecisionListener = Context.Reference<(decision: Decision) => void>("observability/DecisionListener", {
  defaultValue: () => () => {}
})

/** The record of decisions: one for each message that a policy judged. */
export class Decisions extends Context.Service<
  Decisions,
  {
    /** Logs a decision on a line of its own, and has it kept. Never fails, and does not wait for a network. */
    readonly record: (decision: Decision) => Effect.Effect<void>
  }
>()("observability/Decisions") {
  /** `keeper` keeps what was recorded for the user that it is of. */
  static readonly keptBy = <R>(
    keeper: Effect.Effect<(decision: Decision) => Effect.Effect<void>, never, R>
  ): Layer.Layer<Decisions, never, R> =>
    Layer.effect(
      Decisions,
      Effect.gen(function* () {
        const keep = yield* keeper
        const listen = yield* DecisionListener
        return Decisions.of({
          record: (decision) =>
            Effect.logInfo("Decision").pipe(
              Effect.annotateLogs(decision),
              Effect.andThen(Effect.sync(() => listen(decision))),
              Effect.andThen(Telemetry.count("mcp.calls", called(decision))),
              Effect.andThen(keep(decision))
            )
        })
      })
    )
}
