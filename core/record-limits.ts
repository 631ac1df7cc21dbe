/**
 * How large a record may be on each of its hops. A value of 16 MiB arrives, also one that becomes hexadecimal text on its way.
 * Each hop leaves room for what the next one adds, so a record that one hop let through never stops the next.
 */
const MEBIBYTE = 1_048_576;

/** Of a raw record's value: the row after, and as much of the row before as fits. Beyond it the converter sends a stub. */
export const RAW_BYTES_MAX = 34 * MEBIBYTE;
/** Of a raw record's key. */
export const KEY_BYTES_MAX = MEBIBYTE;
/** Of a canonical record, key and metadata too. Beyond it the processors set the raw record aside. */
export const CANONICAL_BYTES_MAX = 36 * MEBIBYTE;
/** What brokers and topics take: a record set aside, with its key, its reason and its place. */
export const RECORD_BYTES_MAX = 40 * MEBIBYTE;

/** Header of a raw record that holds `<bytes>/<at most>` in place of the row: stack/converter/Oversize.java. */
export const OVERSIZE_HEADER = 'seam-oversize';
/** The same in place of the key. */
export const OVERSIZE_KEY_HEADER = 'seam-oversize-key';
