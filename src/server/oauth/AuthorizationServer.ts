import * as Layer from "effect/Layer"

import { Consent } from "./Consent.ts"
import { Grants } from "./Grants.ts"
import { OAuthEndpoints } from "./OAuthEndpoints.ts"
import { OrganizationChoice } from "./OrganizationChoice.ts"
import { OAuthLibrary } from "./OAuthLibrary.ts"
import { ResourceServer } from "./ResourceServer.ts"

/** The five roles of the authorization server, on one library: each is a service of its own. */
export const layer = Layer.mergeAll(
  OAuthEndpoints.layer,
  Consent.layer,
  OrganizationChoice.layer,
  Grants.layer,
  ResourceServer.layer
).pipe(Layer.provideMerge(OAuthLibrary.layer))
