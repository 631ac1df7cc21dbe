package seam.connect;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.function.Function;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;

/**
 * Keeps records below the limit of the topics. One above it would stop the whole source: the producer refuses it, Connect ends
 * the task, and the next start meets the same row.
 *
 *  1. Large values of the row before are left out, as Debezium leaves out an unchanged large value: a deletion always fits, and
 *     so does an update to a smaller value.
 *  2. What is still too large becomes a stub of a few bytes, in a header and as the value. It is no Avro, so no reader takes it
 *     for a row. The processors set its key aside with table and size.
 */
final class Oversize {
  static final String LIMIT = "seam.record.bytes.max";
  static final String VALUE_HEADER = "seam-oversize";
  static final String KEY_HEADER = "seam-oversize-key";
  /** Debezium's word for "not sent": readers keep what they have. */
  private static final String UNAVAILABLE = "__debezium_unavailable_value";
  private static final int LARGE_VALUE_BYTES = 65_536;
  private final int bytesMax;
  private final boolean isKey;

  Oversize(Map<String, ?> settings, boolean isKey) {
    this.isKey = isKey;
    Object limit = settings.get(LIMIT);
    try {
      this.bytesMax = limit == null ? Integer.MAX_VALUE : Integer.parseInt(limit.toString().trim());
    } catch (NumberFormatException wrong) {
      throw new ConfigException(LIMIT, limit, "a number of bytes");
    }
  }

  byte[] fit(Object value, Headers headers, Function<Object, byte[]> write) {
    // what can't fit is not even written: that would need several times its size in memory
    byte[] whole = textBytes(value) > bytesMax ? null : write.apply(value);
    if (whole == null && value == null) return null;
    if (whole != null && whole.length <= bytesMax) return whole;
    if (isKey) return stub(headers, KEY_HEADER, whole == null ? write.apply(value) : whole);
    Object smaller = withoutLargeBefore(value);
    if (smaller != value && textBytes(smaller) <= bytesMax) {
      byte[] written = write.apply(smaller);
      if (written.length <= bytesMax) return written;
    }
    return stub(headers, VALUE_HEADER, whole == null ? textBytes(smaller) : whole.length, "");
  }

  /** The same key gives the same stub, so its records stay in one partition and in order. */
  private byte[] stub(Headers headers, String name, byte[] whole) {
    return stub(headers, name, whole.length, ",\"sha256\":\"" + sha256(whole) + "\"");
  }

  private byte[] stub(Headers headers, String name, long bytes, String further) {
    headers.add(name, (bytes + "/" + bytesMax).getBytes(StandardCharsets.UTF_8));
    String text = "{\"seam\":\"" + name + "\",\"bytes\":" + bytes + ",\"bytesMax\":" + bytesMax + further + "}";
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException(missing);
    }
  }

  /** At least this many bytes will be written: a character of text is one byte or more. */
  private static long textBytes(Object value) {
    if (value instanceof String) return ((String) value).length();
    if (value instanceof byte[]) return ((byte[]) value).length;
    if (value instanceof ByteBuffer) return ((ByteBuffer) value).remaining();
    if (!(value instanceof Struct)) return 0;
    Struct struct = (Struct) value;
    long sum = 0;
    for (Field field : struct.schema().fields()) sum += textBytes(struct.getWithoutDefault(field.name()));
    return sum;
  }

  /** The same object where there is nothing to leave out. */
  private static Object withoutLargeBefore(Object value) {
    if (!(value instanceof Struct) || !WholeRow.isEnvelope(((Struct) value).schema())) return value;
    Struct envelope = (Struct) value;
    Object before = envelope.getWithoutDefault(WholeRow.BEFORE);
    if (!(before instanceof Struct)) return value;
    Struct row = copy((Struct) before);
    boolean isSmaller = false;
    for (Field field : row.schema().fields()) {
      Object placeholder = placeholder(field.schema(), row.getWithoutDefault(field.name()));
      if (placeholder == null) continue;
      row.put(field, placeholder);
      isSmaller = true;
    }
    return isSmaller ? copy(envelope).put(WholeRow.BEFORE, row) : value;
  }

  private static Object placeholder(Schema schema, Object value) {
    if (textBytes(value) < LARGE_VALUE_BYTES || schema.name() != null && !TEXTS.contains(schema.name())) return null;
    if (schema.type() == Schema.Type.STRING) return UNAVAILABLE;
    if (schema.type() == Schema.Type.BYTES) return ByteBuffer.wrap(UNAVAILABLE.getBytes(StandardCharsets.UTF_8));
    return null;
  }

  private static final java.util.Set<String> TEXTS = java.util.Set.of("io.debezium.data.Json", "io.debezium.data.Xml");

  private static Struct copy(Struct struct) {
    Struct copy = new Struct(struct.schema());
    for (Field field : struct.schema().fields()) {
      Object value = struct.getWithoutDefault(field.name());
      if (value != null) copy.put(field, value);
    }
    return copy;
  }
}
