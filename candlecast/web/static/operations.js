// Latency, runs and health.

import { byId, element, facts } from "./dom.js";
import { age, capital, count, interval, isNumber, milliseconds, minute, moment, NONE, percent } from "./format.js";
import { columns } from "./plots.js";
import { rowsOf } from "./sections.js";

const GOOD = new Set(["predicted", "already"]);

export function showOperations(operations, now) {
  const [runs] = rowsOf(operations, "runs");
  const done = runs.find((row) => row.status === "predicted");
  const others = runs.filter((row) => !GOOD.has(row.status));
  facts(byId("latency"), [
    ["Median, 24 h", milliseconds(done?.p50), "strong"],
    ["p95", milliseconds(done?.p95)],
    ["p99", milliseconds(done?.p99)],
    ["Maximum", milliseconds(done?.slowest)],
    ["Predicted", count(done?.runs ?? (operations.runs?.rows ? 0 : null))],
    ...others.map((row) => [
      capital(row.status.replace("_", " ")),
      count(row.runs),
      ["failed", "lost"].includes(row.status) ? "down strong" : "",
    ]),
  ]);
  const [newest, nothing] = rowsOf(operations, "recent", "No run in the last six hours.");
  const recent = newest.toReversed();
  const bad = recent.filter((run) => !GOOD.has(run.status)).length;
  const label = `Latency of the last ${recent.length} runs of the active ensemble, ${bad} of them without a forecast`;
  byId("runs-strip").replaceChildren(
    ...(recent.length > 0
      ? [
          columns(recent, label),
          element(
            "p",
            { className: "note" },
            `${minute(recent[0].candle_time + 60)} to ${minute(recent.at(-1).candle_time + 60)} UTC: latency from ` +
              "detecting the candle to writing the forecast. A short red column is a failed run.",
          ),
        ]
      : [element("p", { className: "nothing" }, nothing)]),
  );
  showTrouble(operations, now);
}

function showTrouble(operations, now) {
  const [rows, nothing] = rowsOf(operations, "trouble", "None.");
  const lines = rows.map((row) =>
    element(
      "li",
      {},
      element("span", { className: "muted" }, `${moment(row.started_at, now)} `),
      element("b", {}, row.error ? row.status : "warning"),
      row.runs > 1 ? ` ${count(row.runs)} times:` : "",
      ` ${row.error ?? row.warning ?? ""}`,
    ),
  );
  byId("trouble").replaceChildren(
    ...(lines.length > 0 ? lines : [element("li", { className: "nothing" }, nothing)]),
  );
}

/** `health` is the whole document. `operations` may not be loaded yet. */
export function showHealth(health, operations, symbol, now) {
  const own = health.symbols?.find((one) => one.symbol === symbol);
  const feed = operations?.feed?.rows?.[0];
  const scheduler = health.scheduler ?? {};
  const newest = own?.newest_candle ?? feed?.newest;
  const closed = newest ? Date.parse(newest) / 1000 + 60 : null;
  const since = (seconds) => (isNumber(seconds) ? `${age(seconds)} ago` : NONE);
  const level = { true: ["on", ""], false: ["off", "down strong"] }[health.ml_inference_enabled] ?? [NONE, ""];
  facts(byId("health-facts"), [
    ["Status", own?.status ?? health.status, `strong level-${own?.status ?? health.status}`],
    ["Inference", ...level],
    ["Active ensemble", own?.ensemble_id ? `#${own.ensemble_id}` : NONE],
    ["Newest candle closed", closed ? `${moment(closed, now)} UTC` : NONE],
    ["Last forecast", own?.last_prediction ? `${moment(own.last_prediction, now)} UTC` : NONE],
    ["Prediction lag", isNumber(own?.prediction_lag) ? milliseconds(1000 * own.prediction_lag) : NONE],
    ["Accuracy at 1 min, 24 h", accuracy(own)],
    ["Model age", isNumber(own?.model_age) ? age(own.model_age) : NONE],
    ["Scheduler", `${scheduler.state ?? NONE}${scheduler.last_run ? `, ${since(scheduler.seconds_ago)}` : ""}`],
    ["Failed runs, 1 h", count(own?.failed_runs_1h), own?.failed_runs_1h > 0 ? "down strong" : ""],
    ["Skipped runs, 1 h", count(own?.skipped_runs_1h)],
    ["Feed", feedOf(feed), feed?.feed_state === "silent" ? "down strong" : "", feed?.feed_error ?? ""],
    [
      "Missing minutes, 24 h",
      missing(feed),
      feed?.missing_24h > 0 ? "warn strong" : "",
    ],
  ]);
}

const missing = (feed) => {
  if (!isNumber(feed?.missing_24h)) return NONE;
  const gaps = `${count(feed.gaps_24h)} ${feed.gaps_24h === 1 ? "gap" : "gaps"}`;
  return feed.missing_24h > 0 ? `${count(feed.missing_24h)} in ${gaps}` : "none";
};
const feedOf = (feed) => (feed ? (feed.feed_state ?? "has never run") : NONE);

function accuracy(own) {
  if (!isNumber(own?.accuracy_24h)) return NONE;
  return `${percent(own.accuracy_24h)} [${interval(own.accuracy_low, own.accuracy_high)}]`;
}
