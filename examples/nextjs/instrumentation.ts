/** Next.js calls this when the server starts, in each of its runtimes. The server does not start without its settings. */
export const register = async (): Promise<void> => {
  if (process.env["NEXT_RUNTIME"] === "edge") return
  const { mcp } = await import("./lib/mcp.ts")
  mcp()
}
