// GraphiQL for this gateway: HTTP for queries and mutations, graphql-transport-ws for subscriptions, tabs from settings.
import React from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import "graphiql/graphiql.css";
import "./page.css";

const base = new URL(".", window.location.href);
const settings = await (await fetch(new URL("graphiql/settings.json", base))).json();
const url = new URL(settings.path.slice(1), base);
const socket = new URL(url);
socket.protocol = socket.protocol.replace("http", "ws");

const fetcher = createGraphiQLFetcher({
  url: url.href,
  wsClient: createClient({ url: socket.href }),
});
const tabs = settings.examples.map(({ query, variables }) => ({
  query,
  variables: Object.keys(variables).length ? JSON.stringify(variables, null, 2) : "",
}));

// The editors open empty beside the first tab unless they are given its content; what a visitor has left goes before it.
const first = localStorage.getItem("graphiql:tabState") === null ? tabs[0] : undefined;

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={tabs.length ? tabs : undefined}
    query={first?.query}
    variables={first?.variables}
    defaultEditorToolsVisibility="variables"
    shouldPersistHeaders={false}
  />,
);
