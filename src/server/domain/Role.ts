import * as Schema from "effect/Schema"

/** The value of `role` in a user's public metadata, which only the application's backend can write. */
export const Role = Schema.NonEmptyString.check(Schema.isMaxLength(100)).pipe(Schema.brand("Role"))
export type Role = typeof Role.Type
