// The chart over the table: its numbers, words and colours are those that stand on the page already.
"use strict";

(() => {
  const chart = document.querySelector(".chart");
  const table = document.getElementById("course");
  if (!chart || !table) return;

  const names = ["sent", "opened", "clicked"];
  // Of a day's place: one within the other, where there is room for that.
  const widths = { sent: 0.86, opened: 0.6, clicked: 0.34 };
  const NARROW = 8; // pixels
  const rows = [...table.tBodies[0].rows].reverse(); // the oldest comes first, here
  const days = rows.map((row) => row.cells[0].textContent.trim());
  const values = names.map((name) => rows.map((row) => Number(row.querySelector(`[data-series=${name}]`).value)));

  const keys = new Map(names.map((name) => [name, chart.querySelector(`.key[data-series=${name}]`)]));
  const totals = new Map(names.map((name) => [name, keys.get(name).querySelector("b").textContent]));
  const when = chart.querySelector(".days");
  const canvas = chart.querySelector(".canvas");

  const colour = (name) => () => getComputedStyle(keys.get(name).querySelector("i")).backgroundColor;
  const ink = () => getComputedStyle(canvas).color;
  const line = () => getComputedStyle(canvas).borderTopColor;

  function tell(index) {
    when.textContent = index == null ? when.dataset.all : days[index];
    names.forEach((name, each) => {
      keys.get(name).querySelector("b").textContent = index == null ? totals.get(name) : values[each][index];
    });
  }

  const font = `12px ${getComputedStyle(chart).fontFamily}`;
  const axis = { font, stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const options = {
    ...size(),
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false, range: [-0.5, days.length - 0.5] },
      y: { range: (_, __, most) => [0, Math.max(4, most * 1.06)] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        gap: 6,
        space: 62,
        incrs: [1, 2, 5, 7, 10, 14, 30],
        grid: { show: false },
        values: (_, splits) => splits.map((each) => days[each] ?? ""),
      },
      {
        ...axis,
        size: 10 + 7 * String(Math.max(...values[0], 10)).length,
        gap: 6,
        incrs: [1, 2, 5].flatMap((each) => [0, 1, 2, 3, 4, 5, 6].map((power) => each * 10 ** power)).sort((a, b) => a - b),
        values: (_, splits) => splits.map(String),
      },
    ],
    series: [
      {},
      ...names.map((name) => ({
        width: 0,
        fill: colour(name),
        points: { show: false },
        paths: bars(name),
      })),
    ],
    hooks: { setCursor: [(plot) => tell(plot.cursor.idx)] },
  };

  function bars(name) {
    const nested = uPlot.paths.bars({ size: [widths[name], 40], radius: 0.12 });
    const dense = uPlot.paths.bars({ size: [0.9] });
    return (plot, ...where) => (plot.over.clientWidth / days.length < NARROW ? dense : nested)(plot, ...where);
  }

  function size() {
    return { width: canvas.clientWidth, height: canvas.clientHeight };
  }

  const plot = new uPlot(options, [days.map((_, index) => index), ...values], canvas);
  chart.dataset.drawn = "";
  new ResizeObserver(() => plot.setSize(size())).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
})();
