import * as Schema from "effect/Schema"

/** `limit` and `offset` as Clerk takes them: 1 to 500, 10 when absent. */
export const pagingFields = {
  limit: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 500 }))
  ),
  offset: Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)))
} as const

export const paged = <A>(
  all: ReadonlyArray<A>,
  page: { readonly limit?: number; readonly offset?: number }
): ReadonlyArray<A> => {
  const offset = page.offset ?? 0
  return all.slice(offset, offset + (page.limit ?? 10))
}

/** A query parameter that may be repeated. */
export const Repeated = Schema.Union([Schema.String, Schema.Array(Schema.String)])

/** Its values, or undefined where it is absent. Clerk also reads one value with commas. */
export const valuesOf = (repeated: typeof Repeated.Type | undefined): ReadonlySet<string> | undefined =>
  repeated === undefined
    ? undefined
    : new Set((typeof repeated === "string" ? [repeated] : repeated).flatMap((value) => value.split(",")))
