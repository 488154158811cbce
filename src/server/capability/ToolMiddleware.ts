import type * as Tool from "effect/ai/Tool"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Principal } from "../domain/Principal.ts"
import type { RequestServices } from "./RequestServices.ts"

/** One call of a tool: its policy admits the caller, and its arguments are decoded. */
export interface ToolCall {
  readonly tool: Tool.Any
  readonly principal: Principal
  readonly arguments: unknown
}

/** A middleware does not let a call pass. The client gets `message` as the error of the tool. */
export class ToolRefused extends Schema.TaggedError<ToolRefused>()("ToolRefused", { message: Schema.String }) {}

/**
 * Wraps the handler of every tool: runs before and after it, times or records it, lets it try again, or refuses the call.
 * What the handler returns and fails with passes through.
 */
export interface Middleware {
  <A, E, R>(handler: Effect.Effect<A, E, R>, call: ToolCall): Effect.Effect<A, E | ToolRefused, R | RequestServices>
}

/**
 * The middleware of a catalogue: nothing, unless a layer for the catalogue provides one. Services that it needs are taken
 * when that layer is built:
 *
 *     const audited = Layer.effect(
 *       ToolMiddleware,
 *       Effect.map(Audit, (audit): Middleware => (handler, { tool, principal }) =>
 *         Effect.tap(handler, () => audit.record(tool.name, principal.userId))
 *       )
 *     )
 *     export const catalogue = Catalogue.layer(...).pipe(Layer.provide(audited))
 */
export const ToolMiddleware = Context.Reference<Middleware>("capability/ToolMiddleware", {
  defaultValue: () => (handler) => handler
})
