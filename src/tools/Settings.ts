import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

import { Settings } from "../server/index.ts"

const AiBinding = Schema.declare((value: unknown): value is Ai => Predicate.hasProperty(value, "run"))

const schema = Schema.Struct({
  IMAGE_GENERATOR: Schema.Literals(["workers-ai", "placeholder"]).annotate({
    description: "workers-ai, which needs the binding AI, or placeholder"
  }),
  AI: Schema.optionalKey(AiBinding).annotate({ description: "the Workers AI binding" })
}).check(
  Schema.makeFilter(({ IMAGE_GENERATOR, AI }) =>
    IMAGE_GENERATOR === "workers-ai" && AI === undefined ? { path: ["AI"], issue: "needed by workers-ai" } : undefined
  )
)

/** The settings and bindings of this server's own tools. */
export class SampleSettings extends Settings.make<SampleSettings>()("tools/SampleSettings", schema) {}
