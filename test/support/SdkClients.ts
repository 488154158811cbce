import {
  Client as ClientV2,
  type OAuthClientProvider,
  StreamableHTTPClientTransport as TransportV2,
  UnauthorizedError as UnauthorizedV2,
  type VersionNegotiationMode
} from "@modelcontextprotocol/client"
import { UnauthorizedError as UnauthorizedV1 } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

import { redirectUri } from "./OAuthClient.ts"
import type { Choice } from "./Person.ts"

/** Who takes a client's address to a browser, and comes back with the address at which the client waits. */
export interface Visitor {
  readonly authorize: (address: URL, choice?: Choice) => Promise<URL>
}

type Saved<Method extends keyof OAuthClientProvider> = Awaited<
  ReturnType<Extract<OAuthClientProvider[Method], (...args: Array<never>) => unknown>>
>

/** What an application keeps for the SDK while a person signs in, and after. One serves both generations of the SDK. */
export class Login {
  readonly redirectUrl = redirectUri
  readonly clientMetadata = { client_name: "SDK client", redirect_uris: [redirectUri], application_type: "native" }
  /** Where the browser came back, once somebody has signed in. */
  back: URL | undefined
  /** How often the person was asked. */
  asked = 0
  /** What the person does on the consent page the next time. */
  choice: Choice
  readonly #person: Visitor
  #client: Saved<"clientInformation">
  #tokens: Saved<"tokens">
  #discovery: Saved<"discoveryState">
  #verifier = ""

  constructor(person: Visitor, choice: Choice = {}) {
    this.#person = person
    this.choice = choice
  }

  clientInformation() {
    return this.#client
  }
  saveClientInformation(client: NonNullable<Saved<"clientInformation">>) {
    this.#client = client
  }
  tokens() {
    return this.#tokens
  }
  forgetTokens() {
    this.#tokens = undefined
  }
  /** The authorization server refused what is kept. */
  invalidateCredentials(scope: Parameters<NonNullable<OAuthClientProvider["invalidateCredentials"]>>[0]) {
    if (scope === "all" || scope === "tokens") this.#tokens = undefined
    if (scope === "all" || scope === "client") this.#client = undefined
    if (scope === "all" || scope === "discovery") this.#discovery = undefined
  }
  saveTokens(tokens: NonNullable<Saved<"tokens">>) {
    this.#tokens = tokens
  }
  discoveryState() {
    return this.#discovery
  }
  saveDiscoveryState(state: NonNullable<Saved<"discoveryState">>) {
    this.#discovery = state
  }
  codeVerifier() {
    return this.#verifier
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier
  }
  async redirectToAuthorization(address: URL) {
    this.asked += 1
    this.back = await this.#person.authorize(address, this.choice)
  }
  /** The answer of the authorization server, for `finishAuth`. */
  get answer(): URLSearchParams {
    if (this.back === undefined) throw new Error("nobody was asked to sign in")
    return this.back.searchParams
  }
}

export interface Options {
  readonly onProgress?: (report: { readonly progress: number; readonly total?: number | undefined }) => void
  readonly signal?: AbortSignal
}

interface ToolAnswer {
  readonly isError?: boolean
  readonly content: ReadonlyArray<{ readonly type: string; readonly text?: string; readonly data?: string }>
  readonly structuredContent?: unknown
}

/** A connected client, whatever its generation. */
export interface Connected {
  readonly login: Login
  readonly protocolVersion: string | undefined
  readonly tools: () => Promise<ReadonlyArray<string>>
  readonly call: (name: string, args: Record<string, unknown>, options?: Options) => Promise<ToolAnswer>
  readonly read: (uri: string) => Promise<unknown>
  readonly prompt: (name: string, args: Record<string, string>) => Promise<unknown>
  /** Takes the tokens of a further sign-in, while the connection goes on. */
  readonly signInAgain: () => Promise<void>
  readonly close: () => Promise<void>
}

type Connect = (mcp: string, login: Login) => Promise<Connected>

const names = ({ tools }: { readonly tools: ReadonlyArray<{ readonly name: string }> }) => tools.map(({ name }) => name)
const progress = ({ onProgress, signal }: Options = {}) => ({
  ...(onProgress && { onprogress: onProgress }),
  ...(signal && { signal })
})

/** The SDK that most clients in the field ship (2025-11-25). */
export const connectV1: Connect = async (mcp, login) => {
  const open = () => {
    const transport = new TransportV1(new URL(mcp), { authProvider: login })
    const client = new ClientV1({ name: "sdk-v1", version: "1" })
    return { transport, client, connected: client.connect(transport) }
  }
  const first = open()
  await first.connected.catch(async (error: unknown) => {
    if (!(error instanceof UnauthorizedV1)) throw error
    await first.transport.finishAuth(login.answer.get("code") ?? "")
  })
  const { client, transport, connected } = open()
  await connected
  return {
    login,
    protocolVersion: transport.protocolVersion,
    tools: async () => names(await client.listTools()),
    call: async (name, args, options) =>
      (await client.callTool({ name, arguments: args }, undefined, progress(options))) as ToolAnswer,
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args) => client.getPrompt({ name, arguments: args }),
    signInAgain: () => transport.finishAuth(login.answer.get("code") ?? ""),
    close: () => client.close()
  }
}

/** The present SDK: `legacy` is what it does of itself, a pinned version is never left. */
export const connectV2 =
  (mode: VersionNegotiationMode): Connect =>
  async (mcp, login) => {
    const open = () => {
      const transport = new TransportV2(new URL(mcp), { authProvider: login as OAuthClientProvider })
      const client = new ClientV2({ name: "sdk-v2", version: "2" }, { versionNegotiation: { mode } })
      return { transport, client, connected: client.connect(transport) }
    }
    const first = open()
    await first.connected.catch(async (error: unknown) => {
      if (!(error instanceof UnauthorizedV2)) throw error
      await first.transport.finishAuth(login.answer)
    })
    const { client, transport, connected } = open()
    await connected
    return {
      login,
      protocolVersion: client.getNegotiatedProtocolVersion(),
      tools: async () => names(await client.listTools()),
      call: async (name, args, options) =>
        (await client.callTool({ name, arguments: args }, progress(options))) as ToolAnswer,
      read: (uri) => client.readResource({ uri }),
      prompt: (name, args) => client.getPrompt({ name, arguments: args }),
      signInAgain: () => transport.finishAuth(login.answer),
      close: () => client.close()
    }
  }
