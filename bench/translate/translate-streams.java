// The peer of the processor: Kafka Streams, exactly once, with the mapping of connectors/pos/mapping.ts for pos.tlog_ln, Avro on
// both sides. It does what the mapping says and no more: no echo check, no position, no trace.
// Orders come on standard input, one a line, so that the virtual machine stays warm over all rounds:
//   start <application id> <input topic> <output topic> <default|tuned>
//   stop

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

final class TranslateStreams {
  private static final ZoneId STORE_ZONE = ZoneId.of("America/New_York");
  private static final int WIRE_HEADER = 5;

  private final String brokers;
  private final String registryUrl;
  private final String stateDirectory;
  private final Schema canonical;
  private final int canonicalId;
  private KafkaStreams streams;

  private TranslateStreams(String[] args) throws Exception {
    brokers = args[0];
    registryUrl = args[1];
    stateDirectory = args[2];
    canonicalId = Integer.parseInt(args[3]);
    canonical = new Schema.Parser().parse(schemaText(canonicalId));
  }

  public static void main(String[] args) throws Exception {
    GenericData.get().setFastReaderEnabled(true);
    TranslateStreams program = new TranslateStreams(args);
    System.out.println("ready");
    BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = orders.readLine(); line != null; line = orders.readLine()) {
      String[] words = line.trim().split(" ");
      if (words[0].equals("start")) program.start(words[1], words[2], words[3], words[4].equals("tuned"));
      if (words[0].equals("stop")) program.stop();
    }
    program.stop();
    System.exit(0);
  }

  private void start(String applicationId, String input, String output, boolean tuned) {
    StreamsBuilder builder = new StreamsBuilder();
    Translation translation = new Translation();
    builder
        .stream(input, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .flatMap((key, value) -> translation.run(value))
        .to(output, Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    streams = new KafkaStreams(builder.build(), settings(applicationId, tuned));
    streams.setUncaughtExceptionHandler(error -> {
      System.out.println("failed " + error.toString().replace('\n', ' '));
      return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.start();
    System.out.println("started");
  }

  private void stop() {
    if (streams != null) streams.close(Duration.ofSeconds(30));
    streams = null;
    System.out.println("stopped");
  }

  private Properties settings(String applicationId, boolean tuned) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDirectory);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    if (tuned) {
      settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
      settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10000);
      settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
      settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262144);
      settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
    }
    return settings;
  }

  private String schemaText(int id) {
    try {
      HttpRequest request = HttpRequest.newBuilder(URI.create(registryUrl + "/schemas/ids/" + id)).build();
      String body = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
      return new com.fasterxml.jackson.databind.ObjectMapper().readTree(body).get("schema").asText();
    } catch (Exception error) {
      throw new IllegalStateException("schema " + id, error);
    }
  }

  /** Everything that is used again for the next record; one thread runs it. */
  private final class Translation {
    private final Map<Integer, GenericDatumReader<GenericRecord>> readers = new ConcurrentHashMap<>();
    private final GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(canonical);
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
    private final Schema kindSchema = canonical.getField("kind").schema();
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;
    private GenericRecord envelope;

    List<KeyValue<byte[], byte[]>> run(byte[] value) {
      if (value == null) return List.of();
      try {
        GenericRecord event = read(value);
        GenericRecord row = (GenericRecord) event.get("after");
        if (row == null) {
          row = (GenericRecord) event.get("before");
          return row == null ? List.of() : List.of(KeyValue.pair(keyOf(row), null));
        }
        GenericRecord record = map(row);
        return record == null ? List.of() : List.of(KeyValue.pair(keyOf(row), write(record)));
      } catch (java.io.IOException error) {
        throw new IllegalStateException(error);
      }
    }

    private GenericRecord read(byte[] value) throws java.io.IOException {
      int id = ByteBuffer.wrap(value, 1, 4).getInt();
      GenericDatumReader<GenericRecord> reader = readers.computeIfAbsent(id, this::readerOf);
      decoder = DecoderFactory.get().binaryDecoder(value, WIRE_HEADER, value.length - WIRE_HEADER, decoder);
      envelope = reader.read(envelope, decoder);
      return envelope;
    }

    /** Reads only what the mapping needs: the rows and the operation. */
    private GenericDatumReader<GenericRecord> readerOf(int id) {
      Schema written = new Schema.Parser().parse(schemaText(id));
      List<Schema.Field> fields = new ArrayList<>();
      for (String name : List.of("before", "after", "op")) {
        Schema.Field field = written.getField(name);
        fields.add(new Schema.Field(field.name(), field.schema(), null, null));
      }
      Schema needed = Schema.createRecord(written.getName(), null, written.getNamespace(), false, fields);
      return new GenericDatumReader<>(written, needed);
    }

    private byte[] keyOf(GenericRecord row) {
      return (row.get("bskt_no") + "|" + row.get("ln_no")).getBytes(StandardCharsets.UTF_8);
    }

    /** null: refused, as the mapping would. */
    private GenericRecord map(GenericRecord row) {
      Long soldAt = utcMicros(row, "sold_ts");
      if (soldAt == null) return null;
      GenericRecord record = new GenericData.Record(canonical);
      record.put("saleId", row.get("bskt_no").toString());
      record.put("lineNumber", ((Number) row.get("ln_no")).intValue());
      record.put("productId", digits(row.get("prod_cd").toString()));
      record.put("locationId", digits(row.get("str_cd").toString()));
      Object card = row.get("cust_no");
      record.put("memberId", card == null || card.toString().isBlank() ? null : digits(card.toString()));
      record.put("quantity", decimal(row.get("qty"), 3));
      record.put("amount", decimal(row.get("net_amt"), 2));
      record.put("discount", decimal(row.get("disc_amt"), 2));
      record.put("kind", new GenericData.EnumSymbol(kindSchema, row.get("typ_cd").toString().equals("R") ? "RETURN" : "SALE"));
      record.put("soldAt", soldAt);
      return record;
    }

    private ByteBuffer decimal(Object text, int scale) {
      BigDecimal exact = new BigDecimal(text.toString()).setScale(scale, RoundingMode.UNNECESSARY);
      return ByteBuffer.wrap(exact.unscaledValue().toByteArray());
    }

    private String digits(String padded) {
      int from = 0;
      int to = padded.length();
      while (to > 0 && padded.charAt(to - 1) == ' ') to--;
      for (int at = 0; at < to; at++) if (!Character.isDigit(padded.charAt(at))) return padded.substring(0, to);
      while (from < to - 1 && padded.charAt(from) == '0') from++;
      return padded.substring(from, to);
    }

    private Long utcMicros(GenericRecord row, String name) {
      Schema schema = row.getSchema().getField(name).schema();
      boolean millis = "io.debezium.time.Timestamp".equals(schema.getProp("connect.name"));
      long wall = ((Number) row.get(name)).longValue();
      long seconds = Math.floorDiv(wall, millis ? 1_000L : 1_000_000L);
      long rest = millis ? Math.floorMod(wall, 1_000L) * 1_000L : Math.floorMod(wall, 1_000_000L);
      LocalDateTime local = LocalDateTime.ofEpochSecond(seconds, 0, ZoneOffset.UTC);
      List<ZoneOffset> offsets = STORE_ZONE.getRules().getValidOffsets(local);
      return offsets.isEmpty() ? null : local.toEpochSecond(offsets.get(0)) * 1_000_000L + rest;
    }

    private byte[] write(GenericRecord record) throws java.io.IOException {
      bytes.reset();
      bytes.write(0);
      bytes.write(ByteBuffer.allocate(4).putInt(canonicalId).array());
      encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
      writer.write(record, encoder);
      encoder.flush();
      return bytes.toByteArray();
    }
  }
}
