import * as Base64 from "effect/encoding/Base64"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { parseToken } from "./Admission.ts"

/** What a request to the token endpoint presents, and the user and the grant that it names. */
export interface PresentedToken {
  readonly token: string
  readonly userId: string
  readonly grantId: string
  readonly use: "exchange" | "refresh" | "revocation"
}

/** The code, the refresh token, or the token of a revocation; undefined where there is none that names a grant. */
export const presentedIn = (form: URLSearchParams): PresentedToken | undefined => {
  const [name, use] =
    form.get("grant_type") === "refresh_token"
      ? (["refresh_token", "refresh"] as const)
      : form.get("grant_type") === "authorization_code"
        ? (["code", "exchange"] as const)
        : (["token", "revocation"] as const)
  const token = form.get(name) ?? ""
  const named = parseToken(token)
  return named && { ...named, token, use }
}

/** The client that an Authorization header names (RFC 6749, section 2.3.1). */
export const basicClientId = (authorization: string | null | undefined): string | undefined => {
  const [, credentials] = /^basic +(\S+)$/iu.exec(authorization ?? "") ?? []
  if (credentials === undefined) return undefined
  const [encoded = ""] = Result.getOrElse(Base64.decodeString(credentials), () => "").split(":")
  return new URLSearchParams(`id=${encoded}`).get("id") ?? undefined
}

const decodeIssuer = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ iss: Schema.String })))

/** The client that an assertion is of (RFC 7523, section 3), before anybody has checked that. */
export const issuerOf = (form: URLSearchParams): string | undefined => {
  const [, payload = ""] = form.get("client_assertion")?.split(".") ?? []
  const claims = Result.getOrElse(Base64Url.decodeString(payload), () => "")
  return Option.getOrUndefined(decodeIssuer(claims))?.iss
}
