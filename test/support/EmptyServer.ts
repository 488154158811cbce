import { Catalogue } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"

/** A server that offers nothing: what the library alone weighs. */
const server = make({ name: "empty", title: "Empty", version: "0.0.0", scopes: {}, catalogue: Catalogue.layer() })

export default server

export class AccountObject extends server.AccountObject {}
