import type { RequestRejected } from "./AuthorizationFailure.ts"

/** A parameter that was sent more than once, which is allowed for `lists` only (RFC 6749, section 3.1). */
export const repeated = (parameters: URLSearchParams, ...lists: ReadonlyArray<string>): string | undefined =>
  [...parameters.keys()].find((name, index, names) => !lists.includes(name) && names.indexOf(name) !== index)

/** A repeated parameter that leaves open where, or how, the client could be told of it. */
export const ambiguous = (parameters: URLSearchParams): string | undefined =>
  ["client_id", "redirect_uri", "state"].find((name) => parameters.getAll(name).length > 1)

/** What a person can be asked anew: whether the client may act for them, and who they are. */
export type Prompt = "consent" | "login"

/** Parameters whose meaning would be lost, or whose promise broken, if they were ignored. */
const unsupported: ReadonlyMap<string, RequestRejected["code"]> = new Map([
  ["request", "request_not_supported"],
  ["request_uri", "request_uri_not_supported"],
  ["registration", "registration_not_supported"],
  ["authorization_details", "invalid_authorization_details"],
  // It names who has to be signed in, in a token of this server. It issues none.
  ["id_token_hint", "invalid_request"]
])

const known: ReadonlySet<string> = new Set(["none", "login", "consent", "select_account"])

const wordsOf = (parameters: URLSearchParams): ReadonlySet<string> =>
  new Set((parameters.get("prompt") ?? "").split(" ").filter((word) => word !== ""))

interface Refusal {
  readonly code: RequestRejected["code"]
  readonly description: string
}

const refusal = (code: Refusal["code"], description: string): Refusal => ({ code, description })

/**
 * Why a request cannot be served that is in order as far as RFC 6749 goes: a repeated parameter (section 3.1), or one
 * of an extension that can be neither honoured nor ignored (OAuth 2.0 Multiple Response Types, section 2.1; RFC 9101;
 * RFC 9396; OpenID Connect Core 1.0, section 3.1.2.1). One without a value counts as not sent. Hints may be ignored.
 */
export const refusalOf = (parameters: URLSearchParams, canReauthenticate: boolean): Refusal | undefined => {
  const twice = repeated(parameters, "resource")
  if (twice !== undefined) return refusal("invalid_request", `The parameter ${twice.slice(0, 40)} was sent twice`)
  for (const [name, code] of unsupported) {
    if (parameters.get(name)) return refusal(code, `This server does not support the parameter ${name}`)
  }
  const mode = parameters.get("response_mode")
  if (mode && mode !== "query") return refusal("invalid_request", "This server supports response_mode query only")
  const prompt = wordsOf(parameters)
  for (const word of prompt) {
    if (!known.has(word)) return refusal("invalid_request", `prompt knows ${[...known].join(" ")}`)
  }
  if (prompt.has("none")) {
    return prompt.size > 1
      ? refusal("invalid_request", "prompt none stands alone")
      : refusal("interaction_required", "This server always shows a page")
  }
  const maxAge = parameters.get("max_age")
  if (maxAge && !/^\d+$/u.test(maxAge)) return refusal("invalid_request", "max_age is a number of seconds")
  if (canReauthenticate) return undefined
  if (prompt.has("select_account")) {
    return refusal("account_selection_required", "This server cannot ask for another account")
  }
  return prompt.has("login") || maxAge
    ? refusal("login_required", "This server cannot ask people to sign in again")
    : undefined
}

/** What a request that is not refused wants the person to be asked anew. Clerk chooses accounts where it signs in. */
export const promptsOf = (parameters: URLSearchParams): ReadonlyArray<Prompt> => {
  const prompt = wordsOf(parameters)
  const login = prompt.has("login") || prompt.has("select_account") || Boolean(parameters.get("max_age"))
  return [...(prompt.has("consent") ? (["consent"] as const) : []), ...(login ? (["login"] as const) : [])]
}
