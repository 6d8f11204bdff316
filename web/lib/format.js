// Figures and times as people read them. Days are UTC and say so; clock times are the reader's own.
import { now as timeNow } from "./clock.js";

/** Dollars with as many digits as matter: $3.20, $0.0002. Takes integer micro-dollars. */
export function dollars(micros) {
  const value = micros / 1e6;
  if (value === 0) return "$0";
  const digits = Math.abs(value) >= 1 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(Math.abs(value))));
  return `${value < 0 ? "−" : ""}$${Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: Math.max(digits, 2) })}`;
}

export const whole = (n) => n.toLocaleString("en-US");

export const plural = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

export const planName = (plan) => plan.charAt(0).toUpperCase() + plan.slice(1);

export const percent = (part, all, digits = 1) => (all ? `${((100 * part) / all).toFixed(digits)} %` : "–");

/** A date of a Firestore Timestamp, ISO text or Date; null for none. */
export function date(value) {
  if (!value) return null;
  return value.toDate ? value.toDate() : new Date(value);
}

/** How long ago, or until when: "2 min ago", "in 35 min". */
export function relative(value, now = timeNow()) {
  const seconds = Math.round((date(value).getTime() - now) / 1000);
  const size = Math.abs(seconds);
  const text =
    size < 60 ? plural(size, "second") : size < 5400 ? `${Math.round(size / 60)} min` : size < 172800 ? plural(Math.round(size / 3600), "hour") : plural(Math.round(size / 86400), "day");
  if (size < 5) return "just now";
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

/** "at 14:05", or with its day if that is not today; of a refusal's ISO text. */
export function localTime(value) {
  const when = date(value);
  if (!when || Number.isNaN(when.getTime())) return "later";
  const clock = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = when.toDateString() === new Date(timeNow()).toDateString();
  return today ? `at ${clock}` : `on ${when.toLocaleDateString([], { weekday: "long" })} at ${clock}`;
}

export const exact = (value) => `${date(value).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** A wait of minutes: "~40 min", "~4 hours". */
export const wait = (minutes) => (minutes < 90 ? `~${minutes} min` : `~${plural(Math.round(minutes / 60), "hour")}`);

/** Seconds as a person says them: "2.1 s", "38 min". */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** The UTC day of a moment: 2026-11-21. */
export const day = (when = new Date(timeNow())) => when.toISOString().slice(0, 10);
