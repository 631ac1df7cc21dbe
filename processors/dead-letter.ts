import { deadLetterTopic, type Rejected } from './stage.ts';
import type { OutputRecord, TopicPartition } from '../core/ports.ts';

/** Headers added to what the record had: why it was set aside, and from where. */
export const DEAD_LETTER_HEADERS = {
  class: 'seam.error.class',
  code: 'seam.error.code',
  reason: 'seam.error.reason',
  topic: 'seam.source.topic',
  partition: 'seam.source.partition',
  offset: 'seam.source.offset',
} as const;

/** Key, value and headers as they came: it can be put back. Personal values stay in the value, never in what is added. */
export function deadLetter(stage: string, place: TopicPartition, { record, error }: Rejected): OutputRecord {
  const added = {
    [DEAD_LETTER_HEADERS.class]: error.class,
    [DEAD_LETTER_HEADERS.code]: error.code,
    [DEAD_LETTER_HEADERS.reason]: error.message,
    [DEAD_LETTER_HEADERS.topic]: place.topic,
    [DEAD_LETTER_HEADERS.partition]: String(place.partition),
    [DEAD_LETTER_HEADERS.offset]: String(record.offset),
  };
  const headers: Record<string, Uint8Array> = { ...record.headers };
  for (const [name, text] of Object.entries(added)) headers[name] = Buffer.from(text, 'utf8');
  return {
    topic: deadLetterTopic(stage),
    // a raw topic's key is Avro: the writer takes bytes too, though the port still says text
    key: record.key as unknown as string | null,
    value: record.value,
    headers,
  };
}
