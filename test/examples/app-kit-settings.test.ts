import { assert, describe, it } from "@effect/vitest"

import { readSettings } from "../../examples/app-kit/src/Settings.ts"

const complete = {
  MCP_SERVER_URL: "https://mcp.example.com",
  APP_URL: "https://app.example.com/",
  CLERK_SECRET_KEY: "sk_test_abc",
  CLERK_PUBLISHABLE_KEY: `pk_test_${btoa("fine-cat-12.clerk.accounts.dev$")}`,
  CLERK_SIGN_IN_URL: "/sign-in"
}

const refusal = (changes: Readonly<Record<string, string | undefined>>): string => {
  try {
    readSettings({ ...complete, ...changes })
    return "accepted"
  } catch (error) {
    return String(error)
  }
}

describe("settings of the app kit", () => {
  it("derives the Frontend API from the publishable key, and the sign-in page from the application", () => {
    const settings = readSettings(complete)
    assert.deepInclude(settings, {
      mcpServerUrl: "https://mcp.example.com",
      appUrl: "https://app.example.com",
      signInUrl: "https://app.example.com/sign-in",
      frontendApi: undefined,
      apiUrl: undefined
    })
    assert.deepEqual(settings.issuers, ["https://fine-cat-12.clerk.accounts.dev"])
  })

  it("names everything that is missing at once", () => {
    const said = refusal({ MCP_SERVER_URL: undefined, APP_URL: " ", CLERK_SECRET_KEY: "" })
    for (const name of ["MCP_SERVER_URL is missing", "APP_URL is missing", "CLERK_SECRET_KEY is missing"]) {
      assert.include(said, name)
    }
    assert.include(refusal({ CLERK_PUBLISHABLE_KEY: undefined }), "CLERK_PUBLISHABLE_KEY is missing")
    assert.include(refusal({ CLERK_SIGN_IN_URL: undefined }), "CLERK_SIGN_IN_URL is missing")
  })

  it("accepts no address to which a token could travel unencrypted", () => {
    for (const address of [
      "http://mcp.example.com",
      "ftp://mcp.example.com",
      "javascript:alert(1)",
      "mcp.example.com"
    ]) {
      assert.include(refusal({ MCP_SERVER_URL: address }), "MCP_SERVER_URL has to be", address)
    }
    assert.strictEqual(refusal({ MCP_SERVER_URL: "http://localhost:8788" }), "accepted")
    assert.include(refusal({ MCP_SERVER_URL: "https://mcp.example.com?to=elsewhere" }), "has to be")
    assert.include(refusal({ APP_URL: "https://user:word@app.example.com" }), "has to be")
  })

  it("never repeats a secret that it refuses", () => {
    const said = refusal({ CLERK_SECRET_KEY: "whsec_mixed_up", CLERK_PUBLISHABLE_KEY: "sk_test_mixed_up" })
    assert.include(said, "CLERK_SECRET_KEY has to be")
    assert.include(said, "CLERK_PUBLISHABLE_KEY has to be")
    assert.notInclude(said, "mixed_up")
  })

  it("reaches the Frontend API where it is told to", () => {
    const settings = readSettings({ ...complete, CLERK_FRONTEND_API: "https://clerk.example.com/" })
    assert.strictEqual(settings.frontendApi, "https://clerk.example.com")
    assert.deepEqual(settings.issuers, ["https://fine-cat-12.clerk.accounts.dev", "https://clerk.example.com"])
    const same = readSettings({ ...complete, CLERK_FRONTEND_API: "https://fine-cat-12.clerk.accounts.dev" })
    assert.isUndefined(same.frontendApi)
  })
})
