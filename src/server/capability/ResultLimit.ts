import * as Context from "effect/Context"

/**
 * How large a result of a tool may be, as an annotation of the tool: its content, and the structured
 * content beside it where `toModelOutput` makes other content, in bytes. A larger one is not sent: models lose their thread over it, and clients cut it off. Instead the model is told to ask for less;
 * `advice` tells it how, in a sentence. 1 MiB and the names of the tool's parameters, unless it is set.
 */
export const ResultLimit = Context.Reference<{ readonly maxBytes: number; readonly advice?: string }>(
  "capability/ResultLimit",
  { defaultValue: () => ({ maxBytes: 1024 * 1024 }) }
)
