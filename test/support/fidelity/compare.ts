/** One text for one value, whichever database printed it; written without the code under test. */
import type { Kind } from './words.ts';

export function neutral(kind: Kind, text: string): string {
  switch (kind) {
    case 'number':
      return plainNumber(text);
    case 'double':
      return doubleText(Number(javaScriptNumber(text)));
    case 'real':
      return doubleText(Math.fround(Number(javaScriptNumber(text))));
    case 'boolean':
      return /^(?:t|true|1)$/.test(text) ? 'true' : /^(?:f|false|0)$/.test(text) ? 'false' : text;
    case 'timestamp':
      return withoutTrailingZeros(text.replace('T', ' ').replace(/(?:Z|\+00(?::?00)?)$/, ''));
    case 'time':
      return withoutTrailingZeros(text);
    case 'uuid':
    case 'bytes':
      return text.toLowerCase();
    case 'text':
    case 'date':
    case 'json':
      return text;
  }
}

function javaScriptNumber(text: string): string {
  return text.replace(/^(-?)inf(?:inity)?$/i, '$1Infinity').replace(/^nan$/i, 'NaN');
}

function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function plainNumber(text: string): string {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text.trim());
  if (match === null) return text;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const shift = Number(exponent);
  const digits = `${whole}${fraction}`;
  const point = whole.length + shift;
  const padded =
    point > digits.length
      ? digits.padEnd(point, '0')
      : point < 0
        ? digits.padStart(digits.length - point, '0')
        : digits;
  const split = Math.max(0, point);
  const left = padded.slice(0, split).replace(/^0+(?=\d)/, '') || '0';
  const right = padded.slice(split).replace(/0+$/, '');
  const plain = right === '' ? left : `${left}.${right}`;
  return sign === '-' && plain !== '0' ? `-${plain}` : plain;
}

function withoutTrailingZeros(text: string): string {
  return text.includes('.') ? text.replace(/0+(?=$| BC$)/, '').replace(/\.(?=$| BC$)/, '') : text;
}
