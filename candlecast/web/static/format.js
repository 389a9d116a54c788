// Formats numbers and times. Times are UTC. A missing value is a dash.

export const NONE = "–";
const numbers = new Map();

function fixed(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (!numbers.has(digits)) {
    numbers.set(digits, new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  const text = numbers.get(digits).format(value).replace("-", "−");
  return /[1-9]/.test(text) ? text : text.replace("−", "");
}

export const priceDigits = (value) => (value >= 1000 ? 2 : value >= 1 ? 4 : value >= 0.01 ? 6 : 8);
export const price = (value) => fixed(value, priceDigits(Math.abs(value ?? 0)));
export const percent = (fraction, digits = 1) => (isNumber(fraction) ? `${fixed(100 * fraction, digits)} %` : NONE);
export const count = (value) => fixed(value, 0);
export const decimal = (value, digits = 2) => fixed(value, digits);
export function signed(value, digits = 1) {
  const text = fixed(value, digits);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}
export const interval = (low, high) =>
  isNumber(low) && isNumber(high) ? `${fixed(100 * low, 1)} – ${fixed(100 * high, 1)}` : NONE;
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

const two = (value) => String(value).padStart(2, "0");
const asDate = (time) => (typeof time === "number" ? new Date(time * 1000) : new Date(time));

export function minute(time) {
  if (!time) return NONE;
  const date = asDate(time);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

export const second = (time) => (time ? `${minute(time)}:${two(asDate(time).getUTCSeconds())}` : NONE);

export function day(time) {
  return time ? asDate(time).toISOString().slice(0, 10) : NONE;
}

/** HH:MM, with the date if it is not today. */
export function moment(time, now) {
  if (!time) return NONE;
  return day(time) === day(now) ? minute(time) : `${day(time)} ${minute(time)}`;
}

export function age(seconds) {
  if (!isNumber(seconds)) return NONE;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} days`;
}

export function milliseconds(value) {
  if (!isNumber(value)) return NONE;
  return value >= 1000 ? `${fixed(value / 1000, 2)} s` : `${fixed(value, value < 10 ? 1 : 0)} ms`;
}

/** With a capital first letter, unless the text starts with a function name. */
export const capital = (text) => (/^\w+\(/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1));
export const sentence = (text) => `${capital(text).replace(/\.$/, "")}.`;
