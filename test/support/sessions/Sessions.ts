import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"

import { AccessEvent } from "../../../src/server/access/AccessEvents.ts"
import type { AccountObject } from "../../../src/server/account/AccountObject.ts"
import { type Listen, listenHeader } from "../../../src/server/account/Session.ts"
import {
  ClerkSessionId,
  ClientId,
  EventId,
  GrantId,
  type Principal,
  UserId
} from "../../../src/server/domain/Principal.ts"
import { clerk } from "./Worker.ts"

const namespace = (env as unknown as { readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject> }).ACCOUNT_AGENT

let users = 0

/** A user that no other test knows. */
export const freshUser = () => UserId.make(`user_T${users++}x${Math.random().toString(36).slice(2)}`)

/** Each grant is of a client of its own, unless the test says so. */
export const identityOf = (
  userId: UserId,
  grant = "grant-1",
  scopes = ["mcp:tools"],
  client = `client of ${grant}`
): Principal => ({
  userId,
  clientId: ClientId.make(client),
  grantId: GrantId.make(grant),
  scopes
})

export const grantEnded = (userId: UserId, grantId: GrantId) => AccessEvent.cases.GrantEnded.make({ userId, grantId })
export const accountClosed = (userId: UserId, deleted = false) =>
  AccessEvent.cases.AccountClosed.make({ userId, deleted })
export const accessChanged = (userId: UserId) => AccessEvent.cases.AccessChanged.make({ userId })

let events = 0

/** A webhook that says of a user to look again, one that was not delivered before. */
export const factsChanged = (userId: UserId, eventId = `msg_${events++}x${Math.random().toString(36).slice(2)}`) =>
  AccessEvent.cases.FactsChanged.make({ userId, eventId: EventId.make(eventId) })

/** The same of a Clerk session. */
export const clerkSessionChanged = (userId: UserId, clerkSessionId: string) =>
  AccessEvent.cases.ClerkSessionChanged.make({
    userId,
    eventId: factsChanged(userId).eventId,
    clerkSessionId: ClerkSessionId.make(clerkSessionId)
  })

export const stubOf = (userId: UserId) => namespace.getByName(userId)

/**
 * Takes a user's object down with everything that it has under way, as a new version of the Worker does. Sockets are
 * lost with it. (`evictDurableObject` waits for open requests to end.)
 */
export const replace = async (userId: UserId): Promise<void> => {
  const reason = "replaced by the test"
  await runInDurableObject(stubOf(userId), (_, state) => state.abort(reason)).catch((error: unknown) => {
    if (!String(error).includes(reason)) throw error
  })
}

/** A JSON-RPC request. */
export const request = (id: number, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params })

export const call = (id: number, name: string, more: object = {}) =>
  request(id, "tools/call", { name, arguments: {}, ...more })

export const initialize = (version = "2025-11-25", name = "test") =>
  request(0, "initialize", {
    protocolVersion: version,
    capabilities: { elicitation: {} },
    clientInfo: { name, version: "1" }
  })

/** The messages of an answer, JSON or events. */
export const messagesOf = async (response: Response): Promise<ReadonlyArray<any>> => {
  const text = await response.text()
  if (!(response.headers.get("content-type") ?? "").includes("event-stream")) return [JSON.parse(text)]
  return text.split("\n").flatMap((line) => (/^data: ./u.test(line) ? JSON.parse(line.slice(6)) : []))
}

/** Those that came as a whole. */
const eventsIn = (text: string) =>
  text
    .split("\n\n")
    .slice(0, -1)
    .flatMap((event) => {
      const [, id] = /^id: (\S+)$/mu.exec(event) ?? []
      const [, data] = /^data: (.+)$/mu.exec(event) ?? []
      return id === undefined ? [] : [{ id, message: data === undefined ? undefined : JSON.parse(data) }]
    })

/** The stream of a request while it is open. */
export const reading = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  const more = async () => {
    const { done, value = "" } = await reader.read()
    text += value
    return !done
  }
  return {
    /** Reads until there is such an event. */
    event: async (wanted: (message: any) => boolean) => {
      for (;;) {
        const found = eventsIn(text).find(({ message }) => wanted(message))
        if (found !== undefined) return found
        if (!(await more())) throw new Error(`the stream ended after ${text}`)
      }
    },
    /** Reads to the end, and answers every message since the beginning; a stream may also break off. */
    end: async () => {
      let ending: "ended" | "broken" = "ended"
      try {
        while (await more());
      } catch {
        ending = "broken"
      }
      return { ending, messages: eventsIn(text).flatMap(({ message }) => (message === undefined ? [] : [message])) }
    },
    leave: () => reader.cancel()
  }
}

/** What the tests' authority takes for the token of this principal. */
const bearerOf = (principal: Principal) => ({
  token: JSON.stringify(principal),
  resource: "https://mcp.example.com/mcp"
})

/** One client of a user, without the Worker between. */
export class Session {
  readonly principal: Principal
  readonly wire: Listen["wire"]
  id: string | undefined

  constructor(principal: Principal, wire: Listen["wire"] = "streamable", id?: string) {
    this.principal = principal
    this.wire = wire
    this.id = id
  }

  /** A session on `/mcp` that has been introduced. */
  static async open(principal: Principal, version?: string): Promise<Session> {
    const session = new Session(principal)
    const answer = await session.post(initialize(version))
    session.id = answer.headers.get("mcp-session-id") ?? undefined
    await answer.text()
    if (session.id === undefined) throw new Error(`no session: ${answer.status}`)
    const initialized = await session.post({ jsonrpc: "2.0", method: "notifications/initialized" })
    await initialized.text()
    return session
  }

  /** The same session, asked for by somebody else. */
  as(principal: Principal): Session {
    return new Session(principal, this.wire, this.id)
  }

  get stub() {
    return stubOf(this.principal.userId)
  }

  post(body: unknown, protocolVersion?: string): Promise<Response> {
    return this.postText(JSON.stringify(body), protocolVersion)
  }

  /** Posts what need not be JSON. */
  async postText(body: string, protocolVersion?: string): Promise<Response> {
    if (this.wire === "changes") throw new Error("a follower posts nothing")
    const admission = await this.stub.post({
      bearer: bearerOf(this.principal),
      resourceMetadataUrl: "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
      wire: this.wire,
      sessionId: this.id,
      protocolVersion,
      body
    })
    return admission.answer ?? new Response(null, { status: 401 })
  }

  async remove(): Promise<number> {
    const response = await this.stub.remove({ principal: this.principal, sessionId: this.id })
    await response.text()
    return response.status
  }

  /** `again`: as the Worker dials for a client whose stream it holds. */
  async listen(lastEventId?: string, again = false): Promise<Response> {
    const listen: Listen = {
      principal: this.principal,
      wire: this.wire,
      ...(this.id !== undefined && { sessionId: this.id }),
      ...(lastEventId !== undefined && { lastEventId }),
      ...(again && { again })
    }
    return this.stub.fetch("https://account-agent.invalid/", {
      headers: { upgrade: "websocket", [listenHeader]: encodeURIComponent(JSON.stringify(listen)) }
    })
  }

  /** The session's stream: what it carried so far, and how it was closed. */
  async stream(lastEventId?: string, again = false) {
    const { webSocket, headers, status } = await this.listen(lastEventId, again)
    if (!webSocket) throw new Error(`no stream: ${status}`)
    const frames: Array<{ readonly id: string; readonly data: string | undefined; readonly message: any }> = []
    const state: { closed: number | undefined } = { closed: undefined }
    webSocket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data))
      const message = this.wire === "changes" || frame.data === undefined ? undefined : JSON.parse(frame.data)
      frames.push({ id: frame.id, data: frame.data, message })
    })
    webSocket.addEventListener("close", ({ code }) => {
      state.closed = code
    })
    webSocket.accept()
    return { webSocket, frames, state, id: headers.get("mcp-session-id") ?? "" }
  }
}

/** What a session is told when what its user may use has changed. */
export const listChanges = ["tools", "resources", "prompts"].map((list) => `notifications/${list}/list_changed`)

/** Puts the object to sleep, and has it find at the next request, one of `session`, that its user has another role. */
export const changeRole = async (session: Session, role = "member"): Promise<void> => {
  await runInDurableObject(session.stub, (_, { storage }) => {
    storage.sql.exec("UPDATE records SET value = json_set(value, '$.takenAt', 0) WHERE key = 'clerk'")
  })
  await evictDurableObject(session.stub)
  clerk.role = role
  await messagesOf(await session.post(request(1, "ping")))
  clerk.role = "admin"
}

/** Waits until `check` holds, 5 s at most. */
export const until = async (check: () => boolean | Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error("it did not come to pass within 5 s")
}

/** A client of `/sse` that has been introduced, and what it was answered so far. */
export const connectSse = async (introduction: unknown = initialize("2024-11-05")) => {
  const session = new Session(identityOf(freshUser()), "sse")
  const stream = await session.stream()
  session.id = stream.id
  const answers = () => stream.frames.flatMap(({ message }) => (message === undefined ? [] : [message]))
  await session.post(introduction)
  await until(() => answers().length === 1)
  if (answers()[0].result.protocolVersion !== "2024-11-05") throw new Error(JSON.stringify(answers()))
  await session.post({ jsonrpc: "2.0", method: "notifications/initialized" })
  return { session, stream, answers }
}
