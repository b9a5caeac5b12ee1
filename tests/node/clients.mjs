// usage: node clients.mjs CLIENT URL QUERY [SUBSCRIPTION VARIABLES]
// Prints what a client got as JSON: the data of the query, and each event of the subscription up to its end. Without a
// subscription, the query defers fragments, and every state of its data that the client showed is printed.
import { packages } from "./packages.mjs";

const [client, url, query, subscription, variablesText] = process.argv.slice(2);
const variables = JSON.parse(variablesText ?? "{}");
const socketUrl = url.replace(/^http/, "ws");

/** Collects what an observable emits. */
const collect = (observable) =>
  new Promise((resolve, reject) => {
    const events = [];
    observable.subscribe({ next: (event) => events.push(event), error: reject, complete: () => resolve(events) });
  });

const clients = {
  async "graphql-ws"() {
    const { createClient } = packages("graphql-ws");
    const socket = createClient({ url: socketUrl, webSocketImpl: packages("ws").WebSocket });
    const answer = await first(socket.iterate({ query }));
    const events = await all(socket.iterate({ query: subscription, variables }));
    await socket.dispose();
    return { answer, events };
  },

  async "graphql-sse, distinct connections"() {
    return sse(false);
  },

  async "graphql-sse, single connection"() {
    return sse(true);
  },

  async "subscriptions-transport-ws"() {
    const { SubscriptionClient } = packages("subscriptions-transport-ws");
    const { WebSocket } = packages("ws");
    const old = new SubscriptionClient(socketUrl, {}, WebSocket);
    const [answer] = await collect(old.request({ query }));
    const events = await collect(old.request({ query: subscription, variables }));
    old.close();
    return { answer, events };
  },

  async "@apollo/client"() {
    const { ApolloClient, HttpLink, InMemoryCache, gql } = packages("@apollo/client/core");
    const apollo = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
    const answer = await apollo.query({ query: gql(query) });
    const events = await collect(apollo.subscribe({ query: gql(subscription), variables }));
    apollo.stop();
    return { answer: { data: answer.data }, events: events.map(({ data }) => ({ data })) };
  },

  async "@urql/core"() {
    const { Client, fetchExchange } = packages("@urql/core");
    const urql = new Client({
      url,
      exchanges: [fetchExchange],
      fetchSubscriptions: true,
      preferGetMethod: false,
    });
    const answer = await urql.query(query, {}).toPromise();
    if (answer.error) throw answer.error;
    const events = [];
    await new Promise((resolve, reject) => {
      urql.subscription(subscription, variables).subscribe((event) => {
        if (event.error) reject(event.error);
        else if (event.hasNext) events.push({ data: event.data });
        else resolve(); // urql repeats the last event when the stream is over
      });
    });
    return { answer: { data: answer.data }, events };
  },

  async "relay-runtime"() {
    const { Environment, Network, Observable, RecordSource, Store } = packages("relay-runtime");
    const { createClient } = packages("graphql-sse");
    const source = createClient({ url });
    const post = async ({ text }, given) => {
      const headers = { "content-type": "application/json", accept: "application/graphql-response+json" };
      const body = JSON.stringify({ query: text, variables: given });
      return (await fetch(url, { method: "POST", headers, body })).json();
    };
    const follow = ({ text }, given) =>
      Observable.create((sink) => source.subscribe({ query: text, variables: given }, sink));
    const environment = new Environment({ network: Network.create(post, follow), store: new Store(new RecordSource()) });
    const network = environment.getNetwork();
    const ask = (text, given, operationKind) => collect(network.execute({ text, name: "N", operationKind }, given, {}));
    const [answer] = await ask(query, {}, "query");
    const events = await ask(subscription, variables, "subscription");
    return { answer, events };
  },
};

async function sse(singleConnection) {
  const { createClient } = packages("graphql-sse");
  const source = createClient({ url, singleConnection });
  const answer = await first(source.iterate({ query }));
  const events = await all(source.iterate({ query: subscription, variables }));
  source.dispose();
  return { answer, events };
}

async function all(results) {
  const found = [];
  for await (const result of results) found.push(result);
  return found;
}

async function first(results) {
  return (await all(results))[0];
}

/** What a client shows of a query with @defer, answer by answer. */
const deferring = {
  async "@apollo/client, present format"() {
    return apolloDefer("GraphQL17Alpha9Handler");
  },

  async "@apollo/client, older format"() {
    return apolloDefer("Defer20220824Handler");
  },

  async "@urql/core"() {
    const { Client, fetchExchange } = packages("@urql/core");
    const urql = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false });
    const seen = [];
    await new Promise((resolve, reject) => {
      urql.query(query, {}).subscribe((event) => {
        if (event.error) reject(event.error);
        seen.push(structuredClone(event.data));
        if (!event.hasNext) resolve();
      });
    });
    return seen;
  },
};

async function apolloDefer(handler) {
  const { ApolloClient, HttpLink, InMemoryCache, gql } = packages("@apollo/client/core");
  const handlers = packages("@apollo/client/incremental");
  const apollo = new ApolloClient({
    link: new HttpLink({ uri: url }),
    cache: new InMemoryCache(),
    incrementalHandler: new handlers[handler](),
  });
  const seen = [];
  await new Promise((resolve, reject) => {
    const watched = apollo.watchQuery({ query: gql(query) });
    watched.subscribe({
      next: ({ data, dataState, error }) => {
        if (error) reject(error);
        if (data) seen.push(structuredClone(data));
        if (dataState === "complete") resolve();
      },
      error: reject,
    });
  });
  return seen;
}

const run = subscription ? clients[client] : deferring[client];
console.log(JSON.stringify(await run()));
process.exit(0);
