package seam.connect;

import io.apicurio.registry.utils.converter.AvroConverter;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.time.DateTimeException;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Map;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.connect.data.Schema;

/**
 * Apicurio's Avro converter, with what Kafka Connect can't be configured to do:
 *
 *  - NULL in a column that has a default stays NULL (WholeRow, RowSchemas);
 *  - a record above a limit becomes a stub instead of stopping the connector (Oversize);
 *  - a worker whose time zone is not UTC is refused, since a snapshot of MariaDB would shift TIMESTAMP there.
 *
 * Every other record is written byte for byte as Apicurio's converter writes it. docs/decisions/ says what was tried first.
 */
public class SeamConverter extends AvroConverter<Object> {
  private RowSchemas avroData;
  private Oversize oversize;

  @Override
  public void configure(Map<String, ?> settings, boolean isKey) {
    refuseOtherZones();
    super.configure(settings, isKey);
    avroData = new RowSchemas(new AvroDataConfig(settings), isKey);
    oversize = new Oversize(settings, isKey);
  }

  @Override
  protected Object applySchema(Schema schema, Object value) {
    return avroData.fromConnectData(schema, WholeRow.of(value, avroData.isKey));
  }

  @Override
  public byte[] fromConnectData(String topic, Schema schema, Object value) {
    return fromConnectData(topic, new RecordHeaders(), schema, value);
  }

  @Override
  public byte[] fromConnectData(String topic, Headers headers, Schema schema, Object value) {
    return oversize.fit(value, headers, fitting -> super.fromConnectData(topic, headers, schema, fitting));
  }

  private static void refuseOtherZones() {
    ZoneId zone = ZoneId.systemDefault();
    if (!isUtc(zone)) {
      throw new ConfigException("Kafka Connect runs in the time zone " + zone + ", and a snapshot of MariaDB would shift TIMESTAMP by"
          + " its offset: start the Connect worker with -Duser.timezone=UTC (KAFKA_OPTS), then run: seam connectors restart");
    }
  }

  private static boolean isUtc(ZoneId zone) {
    try {
      return zone.normalized().equals(ZoneOffset.UTC);
    } catch (DateTimeException unknown) {
      return false;
    }
  }
}
