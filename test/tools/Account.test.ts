import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { Catalogue } from "../../src/server/index.ts"
import { callTool, type TestUser, testServer } from "../../src/server/testing/index.ts"
import * as Account from "../../src/tools/Account.ts"

const call = callTool(Account.toolkit, Account.layer)
const admin: TestUser = { role: "admin", metadata: { team: "engines" } }

const facts = {
  userId: "user_ada",
  email: "ada@example.com",
  firstName: "Ada",
  lastName: "Marlowe",
  imageUrl: "https://img.clerk.example/ada",
  role: "admin",
  metadata: { role: "admin", team: "engines" },
  organization: null
}

/** The whole server with one user, and a client of that user's. */
const connected = async (user: TestUser) => {
  const server = testServer({ catalogue: Catalogue.layer(Account.me, Account.introduceMe) }, { users: [user] })
  return { ...server, client: await server.connect(user) }
}

describe("userInfo", () => {
  it.effect("tells who is signed in, and nothing besides", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual<unknown>(yield* call("userInfo", {}, { as: admin }), facts)
    })
  )

  it.effect("tells the session where it is known", () =>
    Effect.gen(function* () {
      const told = yield* call("userInfo", {}, { as: { ...admin, clerkSessionId: "sess_1" } })
      assert.deepStrictEqual<unknown>(told, { ...facts, sessionId: "sess_1" })
    })
  )

  it.effect("tells the organization that the connection is for, and none of the others", () =>
    Effect.gen(function* () {
      const organizations = [
        { id: "org_acme", slug: "acme", name: "Acme", role: "org:admin", permissions: ["org:reports:read"] },
        { id: "org_globex", slug: null, name: "Globex" }
      ]
      const member = { ...admin, organizations }
      for (const [organization, told] of [
        ["org_acme", organizations[0]],
        ["org_globex", { ...organizations[1], role: "org:member", permissions: [] }],
        [null, null]
      ] as const) {
        const { organization: found } = yield* call("userInfo", {}, { as: { ...member, organization } })
        assert.deepStrictEqual<unknown>(found, told)
      }
    })
  )

  it.effect("works for an account that has nothing but an id", () =>
    Effect.gen(function* () {
      const told = yield* call("userInfo", {}, { as: { email: null, firstName: null, lastName: null } })
      const bare = { email: null, firstName: null, lastName: null, role: null, metadata: {} }
      assert.deepStrictEqual<unknown>(told, { ...facts, ...bare })
    })
  )
})

describe("user://me", () => {
  it("holds the same facts as JSON, read anew each time", async () => {
    const { connect, clerk, wait } = await connected(admin)
    const read = async () => {
      const client = await connect(admin)
      const { contents } = await client.readResource({ uri: "user://me" })
      return JSON.parse(contents.map((content) => ("text" in content ? content.text : "")).join("")) as typeof facts
    }
    assert.deepStrictEqual(await read(), facts)
    clerk.users.set("user_ada", { ...admin, firstName: "Augusta" })
    wait(61)
    assert.strictEqual((await read()).firstName, "Augusta")
  })
})

describe("introduceMe", () => {
  const introduce = async (audience: unknown, user: TestUser = admin) => {
    const { client } = await connected(user)
    const { messages } = await client.getPrompt({ name: "introduceMe", arguments: { audience: audience as string } })
    return messages.map(({ content }) => (content.type === "text" ? content.text : "")).join("")
  }

  it("names the person, the role and the audience", async () => {
    const written = await introduce("the board")
    for (const part of ["Ada Marlowe", "whose role is admin", "the board"]) assert.include(written, part)
  })

  it("does without a name and a role", async () => {
    const written = await introduce("the board", { firstName: null, lastName: null })
    assert.include(written, "the person I am signed in as")
    assert.notMatch(written, /null|undefined|role/u)
  })

  it("refuses arguments that are missing or too long", async () => {
    for (const audience of [undefined, 7, "x".repeat(201)]) {
      const error = await introduce(audience).catch((refusal: unknown) => refusal)
      assert.propertyVal(error, "code", -32602, String(audience))
    }
    // A character outside the basic plane counts as one.
    assert.include(await introduce("😀".repeat(200)), "😀")
  })
})
