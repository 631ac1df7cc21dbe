/** What the matrix can't show: types that no server here has, and values that the connector itself can't take. */
export const NOTES = `## Not in the table

| what | what happens |
| --- | --- |
| MariaDB: INET4, INET6 | the connector doesn't understand the table's definition and stops |
| MariaDB: COMPRESSED columns | the connector stops at the first change that the log holds of the table |
| MariaDB: YEAR with 0000 | the connector stops in a snapshot; a streamed one is refused |
| MariaDB: character set sjis | streamed events would hold another character for a backslash: \`connectors apply\` refuses a captured column (COLUMN_NOT_SAFE) |
| PostgreSQL: date before Christ | **not safe in a snapshot**, which reads it as the same day after Christ; a streamed one is refused |
| PostgreSQL: the text \`__debezium_unavailable_value\` | **not safe**: it counts as "this large value did not change" |
| PostgreSQL: pgvector, PostGIS | not tried: no server of the local stack has these extensions |
| Kafka Connect in another time zone than UTC | the converter refuses to start: run its JVM with \`-Duser.timezone=UTC\`, as the local stack and docker-compose.yml do |

\`seam verify\` reads both sides by plain SQL and shows a value that went this way.
`;
