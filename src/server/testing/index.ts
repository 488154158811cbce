/**
 * The kit for tests of what a team writes, in any test runner on Node: a tool alone (`callTool`), or the whole server in
 * this process with a signed-in client (`testServer`).
 */
export { callTool, type CallOptions, CannotBeAsked } from "./CallTool.ts"
export { InvalidArguments } from "../mcp/ToolCall.ts"
export { NotPermitted } from "../mcp/Authorize.ts"
export { Recorder } from "./Recorder.ts"
export * as Replies from "./Replies.ts"
export type { TestCaller, TestOrganization, TestUser } from "./TestUser.ts"
export { fakeApp } from "./FakeApp.ts"
export { fakeHttp, networkDown } from "./FakeHttp.ts"

export { type ConnectOptions, type TestServer, testServer, type TestServerOptions } from "./TestServer.ts"
export { testSettings } from "./TestSettings.ts"
export { FakeClerk } from "./FakeClerk.ts"
export { ClerkApi } from "../clerk/ClerkApi.ts"
export { FakeAccounts } from "./FakeAccounts.ts"
export { MemoryKv } from "./MemoryKv.ts"
export { Visitor } from "./Visitor.ts"
