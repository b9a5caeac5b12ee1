# One image for every part: gateway, subgraphs, worker, sandboxes. The command says which.
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/crossdock
COPY requirements-run.lock ./
RUN /opt/crossdock/bin/pip install --no-cache-dir --require-hashes --requirement requirements-run.lock
COPY . .
RUN /opt/crossdock/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home crossdock
COPY --from=build /opt/crossdock /opt/crossdock
COPY schema/supergraph.graphql /srv/schema/supergraph.graphql
COPY deploy /srv/deploy
RUN mkdir /srv/var && chown crossdock /srv/var
ENV PATH=/opt/crossdock/bin:$PATH PYTHONUNBUFFERED=1 PORT=4000
WORKDIR /srv
USER crossdock
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["crossdock", "health"]
CMD ["crossdock", "gateway", "--supergraph", "schema/supergraph.graphql", "--config", "deploy/gateway.yaml"]
