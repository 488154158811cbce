import { Catalogue } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"
import * as Todos from "./Todos.ts"

/** A server whose only tools are those in the README that store something. */
const server = make({
  name: "todos",
  title: "Todos",
  version: "1.0.0",
  scopes: {},
  catalogue: Catalogue.layer(Catalogue.tools(Todos.toolkit, Todos.layer)),
  userStore: { valueBytes: 4_096 }
})

export default server

export class AccountObject extends server.AccountObject {}
