// Small plots in tables. The numbers are in the same row, so the plots are hidden from screen readers.

import { drawn } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 16;

/** One symmetric scale for all rows: `middle` ± the largest distance, at least `least`. */
export function scaleOf(rows, middle = 0.5, least = 0.05) {
  const far = rows.flatMap(({ low, high, accuracy }) => [low, high, accuracy]).filter(Number.isFinite);
  const half = Math.max(least, ...far.map((value) => Math.abs(value - middle))) * 1.06;
  return { middle, half };
}

/** An interval with its point, and a vertical line at the middle. */
export function whisker({ low, high, accuracy }, { middle, half }) {
  const x = (value) => (WIDTH * (1 + Math.max(-1, Math.min(1, (value - middle) / half)))) / 2;
  const kind = low > middle ? "above" : high < middle ? "below" : "across";
  const plot = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: `whisker ${kind}`, "aria-hidden": "true" });
  plot.append(drawn("line", { x1: WIDTH / 2, x2: WIDTH / 2, y1: 0, y2: HEIGHT, class: "middle" }));
  if (Number.isFinite(low) && Number.isFinite(high)) {
    plot.append(drawn("line", { x1: x(low), x2: x(high), y1: HEIGHT / 2, y2: HEIGHT / 2, class: "reach" }));
  }
  if (Number.isFinite(accuracy)) plot.append(drawn("circle", { cx: x(accuracy), cy: HEIGHT / 2, r: 3.6 }));
  return plot;
}

/** A horizontal bar, `value` of `most`, with a vertical line at `mark`. */
export function bar(value, most, kind, mark) {
  const plot = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: `bar-plot ${kind}`, "aria-hidden": "true" });
  plot.append(drawn("rect", { x: 0, y: 4, height: 8, rx: 2, width: Math.max(1, (WIDTH * value) / most) }));
  const x = (WIDTH * mark) / most;
  plot.append(drawn("line", { x1: x, x2: x, y1: 1, y2: HEIGHT - 1, class: "middle" }));
  return plot;
}

/** One column per run, the newest on the right: its latency, or a short column for a run without a prediction. */
export function columns(runs, label) {
  const step = 6;
  const height = 44;
  const most = Math.max(1, ...runs.map((run) => run.latency_ms ?? 0));
  const plot = drawn("svg", {
    viewBox: `0 0 ${60 * step} ${height}`,
    class: "columns",
    role: "img",
    "aria-label": label,
  });
  for (const [at, run] of runs.entries()) {
    const good = run.status === "predicted" || run.status === "already";
    const tall = good ? Math.max(2, (run.latency_ms / most) * (height - 2)) : 6;
    const x = (60 - runs.length + at) * step;
    const kind = good ? "good" : run.status === "failed" || run.status === "lost" ? "bad" : "other";
    plot.append(drawn("rect", { x, y: height - tall, width: step - 2, height: tall, rx: 1, class: kind }));
  }
  return plot;
}
