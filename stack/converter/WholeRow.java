package seam.connect;

import org.apache.avro.Schema;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;

/**
 * A row that says NULL where the column is NULL. `Struct.get` answers with the column's default there, and so do all readers
 * of a Struct. Only the rows of a change event and keys are read this way: everything else keeps its defaults.
 */
final class WholeRow extends Struct {
  static final String BEFORE = "before";
  static final String AFTER = "after";
  private static final String[] ENVELOPE = {BEFORE, AFTER, "source", "op"};
  private final Struct struct;
  private final boolean isRow;

  private WholeRow(Struct struct, boolean isRow) {
    super(struct.schema());
    this.struct = struct;
    this.isRow = isRow;
  }

  static Object of(Object value, boolean isKey) {
    if (!(value instanceof Struct)) return value;
    Struct struct = (Struct) value;
    return isKey || isEnvelope(struct.schema()) ? new WholeRow(struct, isKey) : struct;
  }

  static boolean isEnvelope(org.apache.kafka.connect.data.Schema schema) {
    for (String name : ENVELOPE) if (schema.field(name) == null) return false;
    return true;
  }

  static boolean isEnvelope(Schema avro) {
    for (String name : ENVELOPE) if (avro.getField(name) == null) return false;
    return true;
  }

  @Override
  public Object get(Field field) {
    if (!isRow) {
      Object part = struct.get(field);
      boolean holdsRow = field.name().equals(BEFORE) || field.name().equals(AFTER);
      return holdsRow && part instanceof Struct ? new WholeRow((Struct) part, true) : part;
    }
    return field.schema().isOptional() ? struct.getWithoutDefault(field.name()) : struct.get(field);
  }

  @Override
  public Object get(String name) {
    return get(struct.schema().field(name));
  }

  @Override
  public Object getWithoutDefault(String name) {
    return struct.getWithoutDefault(name);
  }

  @Override
  public void validate() {
    struct.validate();
  }
}
