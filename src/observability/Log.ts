import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

/** One JSON object a line on the console, where Workers Logs and `wrangler tail` pick it up. */
export const layer: Layer.Layer<never> = Logger.layer([Logger.consoleJson])
