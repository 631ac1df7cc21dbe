/**
 * Exact decimal arithmetic on text. A canonical decimal(p, s) is text with exactly s digits after the point; nothing here
 * rounds: what doesn't fit is refused.
 */
import { Refusal } from './mapping.ts';

const PLAIN = /^-?\d+(?:\.\d+)?$/;
const SCIENTIFIC = /^(-?)(\d+)(?:\.(\d+))?[eE]([+-]?\d{1,4})$/;
const ONLY_ZEROS = /^0*$/;

/** The same number with exactly `scale` digits after the point. Refuses what decimal(precision, scale) can't hold. */
export function fitDecimal(text: string, precision: number, scale: number): string {
  if (isFitted(text, precision, scale)) return text;
  const plain = PLAIN.test(text) ? text : expand(text);
  const isNegative = plain.startsWith('-');
  const point = plain.indexOf('.');
  const whole = plain.slice(isNegative ? 1 : 0, point < 0 ? undefined : point).replace(/^0+(?=\d)/, '');
  const fraction = point < 0 ? '' : plain.slice(point + 1);
  if (!ONLY_ZEROS.test(fraction.slice(scale))) {
    throw new Refusal('DECIMAL_SCALE', `has more than ${scale} digits after the point`);
  }
  if (whole.length > precision - scale && whole !== '0') {
    throw new Refusal('DECIMAL_PRECISION', `has more than ${precision - scale} digits before the point`);
  }
  const kept = fraction.slice(0, scale).padEnd(scale, '0');
  const isZero = whole === '0' && ONLY_ZEROS.test(kept);
  return `${isNegative && !isZero ? '-' : ''}${whole}${scale === 0 ? '' : `.${kept}`}`;
}

const [ZERO, NINE] = [48, 57];

/** Written already as decimal(precision, scale) is: nearly all are. False where it takes a closer look. */
function isFitted(text: string, precision: number, scale: number): boolean {
  const first = text.startsWith('-') ? 1 : 0;
  const point = scale === 0 ? text.length : text.length - scale - 1;
  const wholeDigits = point - first;
  if (wholeDigits < 1 || wholeDigits > precision - scale) return false;
  if (scale > 0 && text[point] !== '.') return false;
  if (wholeDigits > 1 && text[first] === '0') return false;
  let isZero = true;
  for (let index = first; index < text.length; index += 1) {
    if (index === point) continue;
    const code = text.charCodeAt(index);
    if (code < ZERO || code > NINE) return false;
    if (code > ZERO) isZero = false;
  }
  return first === 0 || !isZero;
}

/** Java prints small numbers such as 0E-10 or 1.5E-7; NaN and Infinity exist in PostgreSQL but in no other system. */
function expand(text: string): string {
  const match = SCIENTIFIC.exec(text);
  if (match === null) throw new Refusal('DECIMAL_INVALID', 'is not a finite decimal number');
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  return `${sign}${formatUnscaled(BigInt(whole + fraction), fraction.length - Number(exponent))}`;
}

type Unscaled = { readonly digits: bigint; readonly scale: number };

/** `-12.50` → digits -1250, scale 2. */
export function parseUnscaled(text: string): Unscaled {
  if (!PLAIN.test(text)) throw new Refusal('DECIMAL_INVALID', 'is not a finite decimal number');
  const point = text.indexOf('.');
  if (point < 0) return { digits: BigInt(text), scale: 0 };
  return { digits: BigInt(text.slice(0, point) + text.slice(point + 1)), scale: text.length - point - 1 };
}

/** digits -1250, scale 2 → `-12.50`. A negative scale appends zeros. */
export function formatUnscaled(digits: bigint, scale: number): string {
  if (scale <= 0) return (digits * 10n ** BigInt(-scale)).toString();
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

export function negateDecimal(text: string): string {
  const { digits, scale } = parseUnscaled(text);
  return formatUnscaled(-digits, scale);
}

/** The exact product; its scale is the sum of both. */
export function multiplyDecimals(left: string, right: string): string {
  const a = parseUnscaled(left);
  const b = parseUnscaled(right);
  return formatUnscaled(a.digits * b.digits, a.scale + b.scale);
}

/** The largest whole number that isn't above the decimal. */
export function floorDecimal(text: string): bigint {
  const { digits, scale } = parseUnscaled(text);
  const unit = 10n ** BigInt(scale);
  return digits / unit - (digits < 0n && digits % unit !== 0n ? 1n : 0n);
}
