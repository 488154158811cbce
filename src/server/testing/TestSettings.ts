const absent = () => Promise.reject(new Error("the test did not swap OAuthStorage"))

/** Tests send more in a second than people do. */
const unlimited = { limit: async () => ({ success: true }) }

/** A complete set of the server's own settings, as the host hands them over. None of the secrets is real. */
export const testSettings = {
  PUBLIC_URL: "https://mcp.example.com",
  SIGN_IN: "clerk",
  CLERK_FRONTEND_API: "https://clerk.example.com",
  CLERK_CLIENT_ID: "the-oauth-application",
  CLERK_CLIENT_SECRET: "client-secret-of-the-tests",
  CLERK_SECRET_KEY: "sk_test_of_the_tests",
  STATE_SIGNING_KEYS: `first:${btoa("the first key of the ring: 32 bytes and more")}`,
  OAUTH_KV: { get: absent, put: absent, delete: absent, list: absent },
  ACCOUNT_AGENT: {
    getByName: () => {
      throw new Error("sessions need workerd")
    }
  },
  RATE_LIMIT_REGISTER: unlimited,
  RATE_LIMIT_AUTHORIZE: unlimited,
  RATE_LIMIT_TOKEN: unlimited,
  RATE_LIMIT_WEBHOOK: unlimited,
  RATE_LIMIT_USER: unlimited
} as const
