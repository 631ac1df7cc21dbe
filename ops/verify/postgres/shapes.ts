/** PostgreSQL's own shapes as well-known binary, little endian, as the connector sends them. */
type Point = readonly [number, number];

const WKB_POINT = 1;
const WKB_POLYGON = 3;

export function pointShape(text: string): Uint8Array {
  return shape(WKB_POINT, [], pointsIn(text));
}

/** The corners that are printed are the upper right and the lower left one. */
export function boxShape(text: string): Uint8Array {
  const [high, low] = pointsIn(text) as [Point, Point];
  return polygon([high, [high[0], low[1]], low, [low[0], high[1]]]);
}

export function polygonShape(text: string): Uint8Array {
  return polygon(pointsIn(text));
}

function polygon(corners: readonly Point[]): Uint8Array {
  const ring = [...corners, corners[0] as Point];
  return shape(WKB_POLYGON, [1, ring.length], ring);
}

function pointsIn(text: string): Point[] {
  const numbers = [...text.matchAll(/[^(),\s]+/g)].map(([number]) => Number(number));
  return Array.from({ length: numbers.length / 2 }, (_, index) => [
    numbers[2 * index] as number,
    numbers[2 * index + 1] as number,
  ]);
}

function shape(type: number, counts: readonly number[], points: readonly Point[]): Uint8Array {
  const head = [type, ...counts];
  const bytes = Buffer.alloc(1 + 4 * head.length + 16 * points.length);
  bytes[0] = 1;
  for (const [index, value] of head.entries()) bytes.writeUInt32LE(value, 1 + 4 * index);
  for (const [index, value] of points.flat().entries()) bytes.writeDoubleLE(value, 1 + 4 * head.length + 8 * index);
  return bytes;
}
