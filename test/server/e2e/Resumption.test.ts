import { assert, layer } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"

import { InspectorCli } from "../../support/InspectorCli.ts"
import { McpRemote } from "../../support/McpRemote.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { Watched } from "../../support/Watched.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const until = async (check: () => boolean): Promise<void> => {
  for (let tries = 0; !check() && tries < 200; tries++) await pause(50)
  if (!check()) throw new Error("it did not come to pass within 10 s")
}

/** What a person is asked, and answers when the test says so. */
const asking = () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const person = { asked: 0, answer: resolve }
  const ask = async () => {
    person.asked += 1
    await promise
    return { action: "accept" as const, content: { end: true } }
  }
  return { person, ask }
}

interface Calling {
  readonly call: (name: string, signal?: AbortSignal) => Promise<unknown>
  readonly errors: Array<unknown>
  readonly person: { readonly asked: number; readonly answer: () => void }
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

const capabilities = { capabilities: { elicitation: {} } }
const errorsOf = (client: { onerror?: ((error: Error) => void) | undefined }) => {
  const errors: Array<unknown> = []
  // It is no event target.
  // oxlint-disable-next-line unicorn/prefer-add-event-listener
  client.onerror = (error) => errors.push(error)
  return errors
}

const applicationV1 = () => {
  const { person, ask } = asking()
  const client = new ClientV1({ name: "application", version: "1" }, capabilities)
  client.setRequestHandler(ElicitRequestSchema, ask)
  const errors = errorsOf(client)
  const call = (name: string, signal?: AbortSignal) =>
    client.callTool({ name, arguments: {} }, undefined, signal && { signal })
  return { client, person, call, errors }
}

type Open = (address: string, token: string, server: Server) => Promise<Calling>

const openV1: Open = async (address, token) => {
  const { client, ...calling } = applicationV1()
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new TransportV1(new URL(address), { requestInit }))
  return { ...calling, [Symbol.asyncDispose]: () => client.close() }
}

const openV2: Open = async (address, token) => {
  const { person, ask } = asking()
  const client = new ClientV2({ name: "application", version: "2" }, capabilities)
  client.setRequestHandler("elicitation/create", ask)
  const errors = errorsOf(client)
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new TransportV2(new URL(address), { requestInit }))
  const call = (name: string, signal?: AbortSignal) => client.callTool({ name, arguments: {} }, signal && { signal })
  return { call, person, errors, [Symbol.asyncDispose]: () => client.close() }
}

const openRemote: Open = async (address, token, server) => {
  const remote = await McpRemote.make(address, "http-only", "--header", `Authorization: Bearer ${token}`)
  const { client, ...calling } = applicationV1()
  await remote.connect(client, server.person("admin@example.com"))
  return { ...calling, [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose]() }
}

const clients = [
  ["SDK v1", openV1],
  ["SDK v2", openV2],
  ["mcp-remote", openRemote]
] as const

/** With another connection, so that `endOthers` has something to ask. */
const tokenOf = async (server: Server, email: string) => {
  await server.signIn(email)
  return (await server.signIn(email, { scopes: ["grants:end"] })).accessToken
}

const question = "endOthers"
const failure = (call: Promise<unknown>) => call.then(() => "answered", String)

/** All clients at once: most of such a test is waiting, to see that nothing comes. */
const withEach = async (test: (name: string, open: Open) => Promise<void>) => {
  await Promise.all(clients.map(([name, open]) => test(name, open)))
}

layer(RunningServer.layer)("a client of a session", (it) => {
  it.effect(
    "asks once at most for the rest of a stream that ended in an error, or was cancelled",
    onServer((server) =>
      withEach(async (name, open) => {
        const token = await tokenOf(server, "admin@example.com")
        await using watched = await Watched.make(server.url)
        await using client = await open(watched.address, token, server)
        await until(() => watched.statuses("GET").includes(200))
        watched.forget()
        assert.notStrictEqual(await failure(client.call("noSuchTool")), "answered", name)
        await pause(2_500)
        assert.isAtMost(watched.statuses("GET").length, 1, `${name}: ${watched.statuses("GET").join()}`)

        watched.forget()
        const leaving = new AbortController()
        const cancelled = failure(client.call(question, leaving.signal))
        await until(() => client.person.asked === 1)
        leaving.abort()
        assert.notStrictEqual(await cancelled, "answered", name)
        await pause(2_500)
        assert.isAtMost(watched.statuses("GET").length, 1, `${name}: ${watched.statuses("GET").join()}`)
      })
    )
  )

  it.effect(
    "hears of a call that was lost in a restart, and that the answer of the person comes too late",
    onServer(async (server) => {
      const { promise: restarted, resolve: restart } = Promise.withResolvers<void>()
      let waiting = clients.length
      await withEach(async (name, open) => {
        const token = await tokenOf(server, "admin@example.com")
        await using watched = await Watched.make(server.url)
        await using client = await open(watched.address, token, server)
        const lost = failure(client.call(question))
        await until(() => client.person.asked === 1)
        // One restart for all of them.
        waiting -= 1
        if (waiting === 0) server.restart().then(restart, restart)
        await restarted
        assert.match(await lost, /Whether it was carried out is not known/u, name)
        await pause(1_500)
        watched.forget()
        client.person.answer()
        await until(() => watched.statuses("POST").length > 0)
        assert.deepEqual(watched.statuses("POST"), [400], name)
        await pause(2_000)
        assert.deepEqual(watched.statuses("GET"), [], name)
        if (name !== "mcp-remote") assert.match(client.errors.map(String).join("\n"), /nobody waits for it any more/u)
      })
    })
  )

  it.effect(
    "the MCP Inspector: asks once at most after an error",
    onServer(async (server) => {
      await using watched = await Watched.make(server.url)
      await using inspector = await InspectorCli.make(watched.address)
      const authorization = `Authorization: Bearer ${await tokenOf(server, "admin@example.com")}`
      const prompt = ["--method", "prompts/get", "--prompt-name", "noSuchPrompt"]
      const { code } = await inspector.run("--protocol-era", "legacy", "--header", authorization, ...prompt)
      assert.notStrictEqual(code, 0)
      // One of them opens the stream of the session.
      assert.isAtMost(watched.statuses("GET").length, 2)
    })
  )
})
