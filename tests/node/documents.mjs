// usage: node documents.mjs CLIENT URL QUERY ID
// Asks twice by a document that the gateway keeps, and prints as JSON what each request said and what the client got.
import { createHash } from "node:crypto";
import { packages } from "./packages.mjs";

const [client, url, query, id] = process.argv.slice(2);
const sent = [];

/** Notes what a request names: by which method, whether with its text, and the id or hash. */
const noting = async (address, options = {}) => {
  const method = options.method ?? "GET";
  const given = new URL(address).searchParams;
  const body =
    method === "POST"
      ? JSON.parse(options.body)
      : { query: given.get("query") ?? undefined, extensions: JSON.parse(given.get("extensions") ?? "{}") };
  const named = body.extensions?.persistedQuery?.sha256Hash ?? body.doc_id ?? body.documentId;
  const answer = await fetch(address, options);
  sent.push({ method, hasText: body.query !== undefined, named, status: answer.status });
  return answer;
};

async function apollo(settings) {
  const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } = packages("@apollo/client/core");
  const { PersistedQueryLink } = packages("@apollo/client/link/persisted-queries");
  const link = ApolloLink.from([new PersistedQueryLink(settings), new HttpLink({ uri: url, fetch: noting })]);
  const asking = new ApolloClient({ link, cache: new InMemoryCache() });
  const answers = [];
  for (let turn = 0; turn < 2; turn++) {
    const { data } = await asking.query({ query: gql(query), fetchPolicy: "network-only" });
    answers.push(data);
  }
  asking.stop();
  return answers;
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

const clients = {
  "@apollo/client, automatic": () => apollo({ sha256 }),
  "@apollo/client, automatic by GET": () => apollo({ sha256, useGETForHashedQueries: true }),
  "@apollo/client, manifest": () => apollo({ generateHash: () => id }),

  async "relay-runtime, manifest"() {
    const { Environment, Network, RecordSource, Store } = packages("relay-runtime");
    // The compiler of Relay leaves the text out of an operation that it has written to the manifest.
    const post = async (operation, variables) => {
      const headers = { "content-type": "application/json", accept: "application/graphql-response+json" };
      const body = JSON.stringify({ doc_id: operation.id, variables });
      return (await noting(url, { method: "POST", headers, body })).json();
    };
    const environment = new Environment({ network: Network.create(post), store: new Store(new RecordSource()) });
    const answers = [];
    for (let turn = 0; turn < 2; turn++) {
      const operation = { id, text: null, name: "N", operationKind: "query", metadata: {}, cacheID: null };
      const [answer] = await collect(environment.getNetwork().execute(operation, {}, { force: true }));
      answers.push(answer.data ?? answer.errors);
    }
    return answers;
  },
};

/** Collects what an observable emits. */
const collect = (observable) =>
  new Promise((resolve, reject) => {
    const events = [];
    observable.subscribe({ next: (event) => events.push(event), error: reject, complete: () => resolve(events) });
  });

const answers = await clients[client]();
console.log(JSON.stringify({ answers, sent }));
process.exit(0);
