import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** Public, private or unsafe metadata of a user: a JSON object. */
export const Metadata = Schema.Record(Schema.String, Schema.Json)
export type Metadata = typeof Metadata.Type

const isObject = (value: unknown): value is Metadata => Predicate.isObject(value) && !Array.isArray(value)

/** Clerk's `PATCH .../metadata`: objects merge at every depth, `null` removes a key, anything else replaces. */
export const mergeMetadata = (current: Metadata, change: Metadata): Metadata => {
  const merged = new Map(Object.entries(current))
  for (const [key, value] of Object.entries(change)) {
    if (value === null) merged.delete(key)
    else if (isObject(value)) {
      const previous = merged.get(key)
      merged.set(key, mergeMetadata(isObject(previous) ? previous : {}, value))
    } else merged.set(key, value)
  }
  return Object.fromEntries(merged)
}
