import { OAuthClient } from "./OAuthClient.ts"
import { Person } from "./Person.ts"

/** Connects a new client as a person does, with registration, consent and sign-in, and answers its access token. */
export const connect = async (options: {
  readonly worker: string
  readonly clerk: string
  readonly email: string
  /** What the client asks for beside the baseline. */
  readonly scopes?: ReadonlyArray<string>
}): Promise<string> => {
  const { worker, clerk, email, scopes = [] } = options
  const client = await OAuthClient.register(`${worker}/mcp`)
  const attempt = await client.begin({ scope: ["mcp:tools", ...scopes].join(" ") })
  const back = await new Person({ url: worker, clerk: { url: clerk } }, email).authorize(attempt.address)
  return (await client.redeem(attempt, back)).access_token
}
