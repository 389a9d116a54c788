// Accuracy by horizon, coverage and ensemble; A/B tests, history, drift, consistency.

import { byId, element, fill, write } from "./dom.js";
import { count, day, decimal, interval, isNumber, minute, moment, NONE, percent, signed } from "./format.js";
import { bar, scaleOf, whisker } from "./plots.js";
import { rowsOf } from "./sections.js";

export function showHorizons(record, timeWindow) {
  const [all, nothing] = rowsOf(record, "leaderboard", "No prediction has an outcome yet.");
  const rows = all.filter((row) => row.state === "active" && row.time_window === timeWindow);
  fill(byId("horizons"), rows.length > 0 ? scored(rows, (row) => `${row.horizon} min`) : [], nothing);
}

export function showCoverage(record, horizon) {
  const [all, nothing] = rowsOf(record, "coverage", "No prediction with a probability has an outcome yet.");
  const rows = all.filter((row) => row.horizon === horizon);
  fill(
    byId("coverage"),
    rows.length > 0 ? scored(rows, (row) => (row.coverage === 100 ? "all" : `top ${row.coverage} %`)) : [],
    nothing,
  );
}

function scored(rows, name) {
  const scale = scaleOf(rows);
  return rows.map((row) => [
    name(row),
    whisker(row, scale),
    { text: percent(row.accuracy), className: verdict(row) },
    interval(row.low, row.high),
    count(row.rows),
  ]);
}

/** Colored if the interval excludes 50 % and there are at least 100 rows. */
const verdict = ({ low, high, rows }) =>
  `${rows < 100 ? "" : low > 0.5 ? "up " : high < 0.5 ? "down " : ""}strong`;

export function showBoard(record, timeWindow, horizon, now) {
  const [ensembles, nothing] = rowsOf(record, "ensembles", "No ensemble is active.");
  const [scores, lacking] = rowsOf(record, "leaderboard");
  const own = scores.filter((row) => row.time_window === timeWindow && row.horizon === horizon);
  const scale = scaleOf(own);
  const rows = ensembles.map((ensemble) => [ensemble, own.find((row) => row.ensemble_id === ensemble.id)]);
  rows.sort(([, one], [, other]) => (one?.place ?? 99) - (other?.place ?? 99));
  write(
    byId("board-caption"),
    lacking ??
      `Leaderboard at ${horizon} min over ${timeWindow}, by accuracy. The A/B tests below compare minute by minute.`,
  );
  fill(
    byId("board"),
    rows.map(([ensemble, score]) => [
      score ? count(score.place) : NONE,
      { text: `#${ensemble.id}`, title: `Mamba ${ensemble.mamba_version}, LightGBM ${ensemble.lgbm_version}` },
      {
        text: element("span", { className: `tag state-${ensemble.state}` }, ensemble.state),
        title: ensemble.change_reason ?? "",
      },
      score ? whisker(score, scale) : "",
      score
        ? {
            text: percent(score.accuracy),
            title: `${count(score.hits)} of ${count(score.rows)}`,
            className: verdict(score),
          }
        : NONE,
      ensemble.mamba_weight === null ? "setting" : decimal(ensemble.mamba_weight),
      moment(ensemble.trained_at, now),
    ]),
    nothing,
  );
}

export function showTests(record, now) {
  const [rows, nothing] = rowsOf(record, "tests", "None. Retraining puts a new ensemble on test.");
  const whiskers = rows.map((row) => ({ low: row.low, high: row.high, accuracy: row.difference }));
  const scale = scaleOf(whiskers, 0, 0.02);
  fill(
    byId("tests"),
    rows.map((row, at) => [
      `#${row.challenger_id} (${row.role}) against #${row.active_id}`,
      moment(row.since, now),
      whisker(whiskers[at], scale),
      isNumber(row.difference)
        ? `${signed(100 * row.difference, 2)} [${signed(100 * row.low, 2)}, ${signed(100 * row.high, 2)}]`
        : NONE,
      count(row.minutes),
      { text: element("span", {}, element("b", {}, row.outlook), ` ${row.why ?? ""}`), className: "wide" },
    ]),
    nothing,
  );
}

export function showHistory(record, now) {
  const [rows, nothing] = rowsOf(record, "history", "No ensemble has been active yet.");
  fill(
    byId("history"),
    rows.map((row) => [
      `#${row.ensemble_id}`,
      moment(row.live_from, now),
      row.live_to ? moment(row.live_to, now) : "now",
      { text: `${row.came_by}${row.came_because ? `: ${row.came_because}` : ""}`, className: "wide" },
    ]),
    nothing,
  );
}

export function showDrift(record) {
  const [rows, nothing] = rowsOf(record, "drift", "Not measured yet. Drift is measured daily for the previous day.");
  const measured = rows.filter((row) => isNumber(row.psi));
  const drifted = measured.filter((row) => row.drifted).length;
  write(byId("drift-day"), measured.length > 0 ? `${day(rows[0].day)}: ${drifted} of ${measured.length} drifted` : "");
  byId("drift-day").dataset.level = drifted > 0 ? "degraded" : "unknown";
  const most = Math.max(1.2, ...measured.map((row) => row.psi / row.threshold));
  fill(
    byId("drift"),
    measured.slice(0, 8).map((row) => {
      const kind = row.drifted ? "drifted" : "usual";
      return [
        broken(row.feature),
        bar(row.psi / row.threshold, most, kind, 1),
        { text: decimal(row.psi, 3), className: kind },
        decimal(row.threshold, 2),
        decimal(row.ks, 3),
      ];
    }),
    rows[0]?.reason ?? nothing,
  );
  showConsistency(record);
}

/** A name with line-break opportunities after its underscores. */
const broken = (name) =>
  element("span", {}, ...name.split(/(?<=_)/).flatMap((part, at) => (at > 0 ? [element("wbr"), part] : [part])));

function showConsistency(record) {
  const [rows, nothing] = rowsOf(record, "consistency", "Not checked yet. The check runs daily for the previous day.");
  const lines = rows.map((row) => {
    const what = `${day(row.day)}, ${row.ensemble_id ? `#${row.ensemble_id}` : "models of the environment"}: `;
    if (row.mismatches === null) return [what + row.reason, ""];
    if (row.mismatches === 0) return [`${what}${count(row.sampled)} minutes recomputed, no difference.`, ""];
    return [
      `${what}${count(row.mismatches)} of ${count(row.sampled)} minutes differ, ${count(row.corrected)} of them ` +
        `because a candle was corrected. ${minute(row.example_time)}: ${row.reason}`,
      "down",
    ];
  });
  const shown = lines.length > 0 ? lines : [[nothing, "nothing"]];
  byId("consistency").replaceChildren(...shown.map(([text, className]) => element("li", { className }, text)));
}
