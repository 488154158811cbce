import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import { ClerkSessionId, GrantProps, Principal, UserId } from "../../../src/server/domain/Principal.ts"
import { Role } from "../../../src/server/domain/Role.ts"

describe("domain", () => {
  it.prop("holds no user id that the OAuth library would take apart", [Schema.String, UserId], ([text, id]) => {
    assert.notInclude(id, ":")
    assert.isTrue(Schema.is(UserId)(id))
    for (const broken of [`${id}:${text}`, `:${id}`, `${id} `, `${id}\n`, text]) {
      assert.isFalse(Schema.is(UserId)(broken), broken)
    }
  })

  it.each(["", "user_", "User_a", "user_a-b", `user_${"a".repeat(65)}`, "sess_a", "user_a/../b"])(
    "takes %j for no user",
    (text) => assert.isFalse(Schema.is(UserId)(text))
  )

  it("tells sessions from users", () => {
    assert.isTrue(Schema.is(ClerkSessionId)("sess_2abc"))
    assert.isFalse(Schema.is(ClerkSessionId)("user_2abc"))
  })

  it.each(["", "x".repeat(101), 7, null, ["admin"]])("takes %j for no role", (value) =>
    assert.isFalse(Schema.is(Role)(value))
  )

  it("reads and writes grants as they have always been stored", () => {
    const stored = { userId: "user_ada", sessionId: "sess_1" }
    const props = Schema.decodeUnknownSync(GrantProps)(stored)
    assert.deepStrictEqual(props, { userId: UserId.make("user_ada"), clerkSessionId: ClerkSessionId.make("sess_1") })
    assert.deepStrictEqual(Schema.encodeSync(GrantProps)(props), stored)
    const bare = { userId: "user_ada" }
    assert.deepStrictEqual(Schema.encodeSync(GrantProps)(Schema.decodeUnknownSync(GrantProps)(bare)), bare)
    const member = { ...bare, organizationId: "org_1" }
    assert.deepStrictEqual(Schema.encodeSync(GrantProps)(Schema.decodeUnknownSync(GrantProps)(member)), member)
  })

  it.prop("reads back every principal that it wrote", [Principal], ([principal]) => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(Principal)(Schema.encodeSync(Principal)(principal)), principal)
  })
})
