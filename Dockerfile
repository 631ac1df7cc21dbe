# Both images that Seam builds: `worker` (this repository on Node) and `connect` (Kafka Connect with its plugins).
# test/contract/compose.test.ts holds the versions here equal to package-lock.json and stack/versions.json.

FROM node:24.21.0-bookworm-slim AS dependencies
# A company's own npm mirror; the public registry where it is left out.
ARG NPM_CONFIG_REGISTRY
WORKDIR /seam
COPY package.json package-lock.json .npmrc ./
# Left out: the database servers of the local stack (optional packages) and a second Node (it comes by an install script).
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM dependencies AS plugins
# A company's own Maven mirror; Maven Central where it is left out.
ARG SEAM_MAVEN_URL
COPY core core
COPY stack stack
COPY deploy/fetch-plugins.ts deploy/pack-converter.ts deploy/plugins.ts deploy/
# Every file is checked against its SHA-256 in stack/artifacts.lock.json.
RUN node deploy/fetch-plugins.ts /build "$SEAM_MAVEN_URL"

# The converter of stack/converter/ is compiled where Java and Kafka's own jars are: a Java runtime is enough for it.
FROM apache/kafka:4.2.0 AS compiled
COPY --from=plugins /build /build
COPY --from=plugins /seam/stack/converter /seam/stack/converter
RUN java -jar /build/java-compiler/jars/*.jar @/build/compiler-arguments \
    -classpath "$(echo /opt/kafka/libs/*.jar /build/plugins/avro-converter/jars/*.jar | tr ' ' ':')" -d /tmp/classes

FROM plugins AS packed
COPY --from=compiled /tmp/classes /build/classes
RUN node deploy/pack-converter.ts /build/classes /build/plugins

FROM apache/kafka:4.2.0 AS connect
COPY --from=packed /build/plugins /opt/seam/plugins
COPY deploy/connect.properties deploy/connect-log4j2.yaml /etc/seam/
USER root
# A new volume takes over owner and mode of the folder that it is mounted on.
RUN install -d -o appuser -g appuser -m 0700 /run/seam/secrets
USER appuser
ENV KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/etc/seam/connect-log4j2.yaml
EXPOSE 8083
CMD ["/opt/kafka/bin/connect-distributed.sh", "/etc/seam/connect.properties"]

FROM node:24.21.0-bookworm-slim AS worker
# The second bounds what the C library keeps for each thread: ops/worker-memory.ts.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2
WORKDIR /seam
COPY --from=dependencies /seam/node_modules node_modules
COPY package.json ./
COPY adapters adapters
COPY avro avro
COPY cli cli
COPY connectors connectors
COPY core core
COPY ops ops
COPY processors processors
COPY sinks sinks
COPY stack stack
RUN install -d -o node -g node -m 0700 /run/seam/secrets
USER node
CMD ["node", "cli/main.ts", "--help"]
