// Composes every set of subgraphs on standard input with the outside composer.
// In: [{"name": "sdl", ...}, ...]. Out: [{"ok", "codes", "schema"}, ...]; the schema is without federation machinery, and
// has the messages instead when the set is refused. "ok" is null when the composer failed.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.CROSSDOCK_NODE_MODULES, "anchor.js"));
const { composeServices, compositionHasErrors, transformSupergraphToPublicSchema } = require(
  "@theguild/federation-composition",
);
const { parse, print } = require("graphql");

let text = "";
for await (const chunk of process.stdin) text += chunk;

const answers = JSON.parse(text).map((subgraphs) => {
  try {
    const services = Object.entries(subgraphs).map(([name, sdl]) => ({
      name,
      url: `http://${name}.example`,
      typeDefs: parse(sdl),
    }));
    const result = composeServices(services);
    if (compositionHasErrors(result)) {
      return { ok: false, codes: [...new Set(result.errors.map((error) => error.extensions?.code ?? "NONE"))].sort(), schema: result.errors.map((e)=>e.message).join("\n") };
    }
    return { ok: true, codes: [], schema: print(transformSupergraphToPublicSchema(parse(result.supergraphSdl))) };
  } catch (error) {
    return { ok: null, codes: ["CRASH"], schema: String(error) };
  }
});
process.stdout.write(JSON.stringify(answers));
