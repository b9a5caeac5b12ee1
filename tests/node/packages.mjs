// The packages come from the folder that CROSSDOCK_NODE_MODULES names, wherever that is.
import { createRequire } from "node:module";
import path from "node:path";

export const packages = createRequire(path.join(process.env.CROSSDOCK_NODE_MODULES, "packages.cjs"));
