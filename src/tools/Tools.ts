import * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"

import * as Account from "./Account.ts"
import * as Arithmetic from "./Arithmetic.ts"
import * as Images from "./Images.ts"

/** Every tool, resource and prompt of the server. A new family is one more file, and its name in these lists. */
export const toolkit = Toolkit.merge(Arithmetic.toolkit, Account.toolkit, Images.toolkit)

export const layer = Layer.mergeAll(Arithmetic.layer, Account.layer, Images.layer)

export const resources = [Account.me]

export const prompts = [Account.introduceMe]
