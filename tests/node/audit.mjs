// usage: node audit.mjs URL - prints the outcome of each audit of graphql-http as JSON.
import { packages } from "./packages.mjs";

const { serverAudits } = packages("graphql-http");

const found = [];
for (const audit of serverAudits({ url: process.argv[2], fetchFn: fetch })) {
  const { status, reason } = await audit.fn();
  found.push({ id: audit.id, name: audit.name, status, reason });
}
console.log(JSON.stringify(found));
