export default {
  // The kit is TypeScript.
  transpilePackages: ["mcp-app-kit"],
  // Not the folder above, which has a lock file too.
  turbopack: { root: import.meta.dirname }
}
