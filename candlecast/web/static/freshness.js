// Decides from the age of the data whether it is live, as health() does. The live document contains the limits
// `late_seconds` and `missing_seconds`.

import { minute, second, sentence } from "./format.js";

/** Seconds since the candle of that open_time closed. */
export const ageOf = (openTime, now) => now - openTime - 60;

/** The state of the newest forecast: 'live', 'late', 'expired' or 'none'. */
export function forecastState(live, now, problem) {
  if (!live?.forecast?.length) return "none";
  const seconds = ageOf(live.forecast[0].candle_time, now);
  if (problem || live.ensemble_id === null) return seconds < live.missing_seconds ? "late" : "expired";
  return seconds < live.late_seconds ? "live" : seconds < live.missing_seconds ? "late" : "expired";
}

/**
 * The status of the page: {level: ok | degraded | down | unknown, word, title, text, since}. A change of level or title
 * is announced to screen readers. If `since` is set, its age is appended to the text, which then has no full stop.
 */
export function verdict({ live, health, problem, now }) {
  if (problem) return unanswered(problem, live);
  if (!health || !live) return { level: "unknown", word: "connecting", title: "", text: "", since: null };
  if (live.symbol === null) {
    return down("no candles", "No candles yet.", "The page updates when the first candle is stored.");
  }
  const own = health.symbols.find((one) => one.symbol === live.symbol);
  const general = health.reasons.filter(
    (reason) => !health.symbols.some((one) => reason.startsWith(`${one.symbol}: `)),
  );
  const reasons = [...general, ...(own?.reasons ?? [])].map(sentence);
  if (!own && general.length === 0) {
    return down("no forecasts", `No forecasts for ${live.symbol}.`, "It has no active ensemble.");
  }
  const level = own && health.ml_inference_enabled ? own.status : health.status;
  if (level === "ok") return { level, word: "live", title: "", text: "", since: null };
  const late = live.newest_candle && ageOf(live.newest_candle, now) >= live.late_seconds;
  return {
    level,
    word: level,
    title: level === "degraded" ? "Degraded." : "Not live.",
    text: [...reasons, lastOf(live, now), late ? `The last candle closed at ${closed(live)} UTC` : ""]
      .filter(Boolean)
      .join(" "),
    since: late ? live.newest_candle + 60 : null,
  };
}

function unanswered(problem, live) {
  const shown = live ? ` This page shows data from ${second(problem.since)} UTC` : "";
  return {
    level: "down",
    word: "no answer",
    title: "No current data.",
    text: `${sentence(problem.reason)}${shown}`,
    since: live ? problem.since : null,
  };
}

function lastOf(live, now) {
  const newest = live.forecast[0]?.candle_time;
  const late = newest && ageOf(newest, now) >= live.late_seconds;
  return late ? `The last forecast is from ${minute(newest + 60)} UTC.` : "";
}

const closed = (live) => minute(live.newest_candle + 60);
const down = (word, title, text) => ({ level: "down", word, title, text, since: null });
