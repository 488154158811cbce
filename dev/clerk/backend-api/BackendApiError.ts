import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { clerkErrors } from "../ClerkErrorBody.ts"

export class SecretKeyMissing extends Schema.TaggedError<SecretKeyMissing>()("SecretKeyMissing", {}) {}

export class SecretKeyInvalid extends Schema.TaggedError<SecretKeyInvalid>()("SecretKeyInvalid", {}) {}

class ResourceNotFound extends Schema.TaggedError<ResourceNotFound>()("ResourceNotFound", {
  what: Schema.String,
  id: Schema.String
}) {}

export class InvalidParameters extends Schema.TaggedError<InvalidParameters>()("InvalidParameters", {
  issues: Schema.Array(Schema.Struct({ parameter: Schema.String, explanation: Schema.String }))
}) {}

export class UnreadableBody extends Schema.TaggedError<UnreadableBody>()("UnreadableBody", {}) {}

class OrganizationsOff extends Schema.TaggedError<OrganizationsOff>()("OrganizationsOff", {}) {}

/** Why the Backend API refuses a request. */
export class BackendApiError extends Schema.TaggedError<BackendApiError>()("BackendApiError", {
  reason: Schema.Union([
    SecretKeyMissing,
    SecretKeyInvalid,
    OrganizationsOff,
    ResourceNotFound,
    InvalidParameters,
    UnreadableBody
  ])
}) {}

export const organizationsOff = new BackendApiError({ reason: new OrganizationsOff() })

export const notFound = (what: string, id: string): BackendApiError =>
  new BackendApiError({ reason: new ResourceNotFound({ what, id }) })

export const invalidParameter = (parameter: string, explanation: string): BackendApiError =>
  new BackendApiError({ reason: new InvalidParameters({ issues: [{ parameter, explanation }] }) })

/** Clerk's status and code for each refusal. */
export const refusal = ({ reason }: BackendApiError): HttpServerResponse.HttpServerResponse => {
  switch (reason._tag) {
    case "SecretKeyMissing":
      return clerkErrors(401, [
        {
          message: "Invalid Authorization header format",
          longMessage: "Must be of the form `Bearer <secret key>`.",
          code: "authorization_header_format_invalid"
        }
      ])
    case "SecretKeyInvalid":
      return clerkErrors(401, [
        {
          message: "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
          longMessage: "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
          code: "clerk_key_invalid"
        }
      ])
    case "OrganizationsOff":
      return clerkErrors(403, [
        {
          message: "access denied",
          longMessage: "The organizations feature is not enabled for this instance.",
          code: "organization_not_enabled_in_instance"
        }
      ])
    case "ResourceNotFound":
      return clerkErrors(404, [
        {
          message: "not found",
          longMessage: `No ${reason.what} was found with id ${reason.id}`,
          code: "resource_not_found"
        }
      ])
    case "InvalidParameters":
      return clerkErrors(
        422,
        reason.issues.map(({ explanation, parameter }) => ({
          message: "is invalid",
          longMessage: `${parameter}: ${explanation}`,
          code: "form_param_value_invalid",
          meta: { param_name: parameter }
        }))
      )
    case "UnreadableBody":
      return clerkErrors(400, [
        {
          message: "The request body is invalid",
          longMessage: "The request body is invalid. Please consult the API documentation for more information.",
          code: "request_body_invalid"
        }
      ])
  }
}
