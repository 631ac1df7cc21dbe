package seam.connect;

import io.apicurio.registry.utils.converter.avro.AvroData;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.kafka.common.cache.Cache;
import org.apache.kafka.common.cache.LRUCache;
import org.apache.kafka.common.cache.SynchronizedCache;

/**
 * Avro schemas in which a column that may be NULL has no other default than NULL. So a reader can tell from a record's schema
 * whether its NULLs were kept: a schema of the plain converter has the column's default there.
 */
final class RowSchemas extends AvroData {
  private static final int SCHEMAS_MAX = 1_000;
  final boolean isKey;
  private final Cache<org.apache.kafka.connect.data.Schema, Schema> schemas =
      new SynchronizedCache<>(new LRUCache<>(SCHEMAS_MAX));

  RowSchemas(AvroDataConfig config, boolean isKey) {
    super(config);
    this.isKey = isKey;
  }

  @Override
  public Schema fromConnectSchema(org.apache.kafka.connect.data.Schema schema) {
    if (schema == null) return super.fromConnectSchema(schema);
    Schema known = schemas.get(schema);
    if (known != null) return known;
    Schema fresh = withNullDefaults(super.fromConnectSchema(schema));
    schemas.put(schema, fresh);
    return fresh;
  }

  private Schema withNullDefaults(Schema avro) {
    if (avro.getType() != Schema.Type.RECORD) return avro;
    if (isKey) return row(avro);
    return WholeRow.isEnvelope(avro) ? envelope(avro) : avro;
  }

  /** `before` and `after` are of one named type, which Avro wants to be the same object. */
  private static Schema envelope(Schema avro) {
    Schema old = optional(avro.getField(WholeRow.BEFORE).schema());
    if (old == null || old.getType() != Schema.Type.RECORD) return avro;
    Schema row = row(old);
    if (row == old) return avro;
    List<Schema.Field> fields = new ArrayList<>();
    for (Schema.Field field : avro.getFields()) {
      boolean isRow = field.name().equals(WholeRow.BEFORE) || field.name().equals(WholeRow.AFTER);
      Schema type = isRow ? nullOr(row) : field.schema();
      fields.add(copy(field, type, isRow ? Schema.Field.NULL_DEFAULT_VALUE : field.defaultVal()));
    }
    return like(avro, fields);
  }

  /** The same object where no column has to change: then the schema, and its number in the registry, stay as they are. */
  private static Schema row(Schema avro) {
    if (avro.getFields().stream().noneMatch(RowSchemas::hidesNull)) return avro;
    List<Schema.Field> fields = new ArrayList<>();
    for (Schema.Field field : avro.getFields()) {
      boolean hides = hidesNull(field);
      Schema type = hides ? nullOr(optional(field.schema())) : field.schema();
      fields.add(copy(field, type, hides ? Schema.Field.NULL_DEFAULT_VALUE : field.defaultVal()));
    }
    return like(avro, fields);
  }

  private static boolean hidesNull(Schema.Field field) {
    if (!field.hasDefaultValue() || optional(field.schema()) == null) return false;
    return field.defaultVal() != Schema.Field.NULL_DEFAULT_VALUE;
  }

  /** The type beside null; null where this is no such union. */
  private static Schema optional(Schema union) {
    if (union.getType() != Schema.Type.UNION || union.getTypes().size() != 2 || !union.isNullable()) return null;
    List<Schema> types = union.getTypes();
    return types.get(types.get(0).getType() == Schema.Type.NULL ? 1 : 0);
  }

  private static Schema nullOr(Schema type) {
    return Schema.createUnion(Schema.create(Schema.Type.NULL), type);
  }

  private static Schema.Field copy(Schema.Field field, Schema type, Object byDefault) {
    Schema.Field copy = new Schema.Field(field.name(), type, field.doc(), byDefault, field.order());
    field.getObjectProps().forEach(copy::addProp);
    field.aliases().forEach(copy::addAlias);
    return copy;
  }

  private static Schema like(Schema avro, List<Schema.Field> fields) {
    Schema copy = Schema.createRecord(avro.getName(), avro.getDoc(), avro.getNamespace(), avro.isError(), fields);
    avro.getObjectProps().forEach(copy::addProp);
    return copy;
  }
}
