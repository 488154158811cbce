import * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"

import * as Account from "./Account.ts"
import * as Arithmetic from "./Arithmetic.ts"
import * as Images from "./Images.ts"
import * as SignOut from "./SignOut.ts"

/** Every tool of the server. A new family is one more file, and its name in these two lists. */
export const toolkit = Toolkit.merge(Arithmetic.toolkit, Account.toolkit, Images.toolkit, SignOut.toolkit)

export const layer = Layer.mergeAll(Arithmetic.layer, Account.layer, Images.layer, SignOut.layer)

/** What the server offers beside its tools. */
export const offer = { resources: [Account.me], templates: [], prompts: [Account.introduceMe] }
