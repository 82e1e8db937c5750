// Figures: a chart with its legend, for pointer, finger and keyboard. A point is {x, y, row, text}:
// the anchor of the row that it leads to, and the lines that are said of it.
"use strict";
const redraws = [];  // one for every figure
Chart.defaults.animation = false;
Chart.defaults.font.family = "system-ui, sans-serif";

// Series differ in shape as well as in colour: in the plot, and in the legend filled and hollow.
const marks = [
  ["circle", "●", "○"],
  ["rect", "■", "□"],
  ["triangle", "▲", "△"],
  ["rectRot", "◆", "◇"],
];

function append(parent, tag, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

// Points of one kind.
function series(label, points, color, mark, hollow = false) {
  const [shape, filledGlyph, hollowGlyph] = marks[mark % marks.length];
  return {
    label,
    data: points,
    glyph: hollow ? hollowGlyph : filledGlyph,
    pointStyle: shape,
    borderColor: color,
    backgroundColor: hollow ? "transparent" : color,
    pointRadius: innerWidth < 600 ? 3 : 4,
    pointHoverRadius: 7,
    pointHoverBorderWidth: 3,
    pointHitRadius: 5,
  };
}

// A straight line behind the points; `name` stands on it.
function line(from, to, color, name) {
  return {
    name,
    data: [from, to],
    borderColor: color,
    borderWidth: 1.5,
    showLine: true,
    pointRadius: 0,
    pointHoverRadius: 0,
    pointHitRadius: 0,
    order: 1,
  };
}

// Rising lines have their names at the lower end, level ones at the right.
const lineNames = {
  id: "lineNames",
  afterDatasetsDraw(chart) {
    chart.data.datasets.forEach(({ name, borderColor }, index) => {
      if (!name) return;
      const [from, to] = chart.getDatasetMeta(index).data;
      const level = from.y === to.y;
      const { ctx } = chart;
      ctx.save();
      ctx.fillStyle = borderColor;
      ctx.strokeStyle = themeColor("page");  // readable on top of points
      ctx.lineWidth = 4;
      ctx.font = "11px system-ui, sans-serif";
      ctx.textAlign = level ? "right" : "left";
      ctx.translate(level ? to.x : from.x, level ? to.y : from.y);
      ctx.rotate(Math.atan2(to.y - from.y, to.x - from.x));
      ctx.strokeText(name, level ? -4 : 8, -5);
      ctx.fillText(name, level ? -4 : 8, -5);
      ctx.restore();
    });
  },
};

function goToRow(anchor) {
  const row = document.getElementById(anchor);
  location.hash = anchor;  // marks the row; Back leads to the chart again
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
}

function pointAt(chart, { datasetIndex, index }) {
  return chart.data.datasets[datasetIndex].data[index];
}

// The points in the order of the arrow keys.
function pointsInOrder(chart, downwards) {
  const points = chart.getSortedVisibleDatasetMetas().flatMap((meta) =>
    meta.data.map((element, index) => ({ datasetIndex: meta.index, index, element })));
  const order = downwards
    ? (a, b) => a.element.y - b.element.y || a.element.x - b.element.x
    : (a, b) => a.element.x - b.element.x || a.element.y - b.element.y;
  return points.filter((p) => pointAt(chart, p).row).sort(order);
}

// Arrows go from point to point, Enter to its row. `told` says aloud what the chart only shows.
function handleKey(event, chart, downwards, told) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const [active] = chart.getActiveElements();
  if (event.key === "Enter" && active) goToRow(pointAt(chart, active).row);
  const points = pointsInOrder(chart, downwards);
  if (!step || points.length === 0) return;
  event.preventDefault();
  const at = points.findIndex(
    (p) => active && p.datasetIndex === active.datasetIndex && p.index === active.index);
  const before = at < 0 && step < 0 ? 0 : at;
  const next = points[(before + step + points.length) % points.length];
  chart.setActiveElements([next]);
  chart.tooltip.setActiveElements([next], { x: next.element.x, y: next.element.y });
  chart.update();
  told.textContent = pointAt(chart, next).text.join(" · ");
}

// A button for each series that shows or hides it; `hidden` has the labels of those not shown.
function drawLegend(legend, chart, hidden) {
  chart.data.datasets.forEach(({ glyph, label, borderColor }, index) => {
    if (!glyph) return;
    const button = append(legend, "button", { type: "button" });
    append(button, "span", { textContent: glyph, ariaHidden: "true" }).style.color = borderColor;
    button.append(` ${label}`);
    const show = () => {
      button.setAttribute("aria-pressed", !hidden.has(label));
      chart.setDatasetVisibility(index, !hidden.has(label));
    };
    button.addEventListener("click", () => {
      if (!hidden.delete(label)) hidden.add(label);
      show();
      chart.update();
    });
    show();
  });
  chart.update();
}

function chartOptions(scales) {
  return {
    maintainAspectRatio: false,
    scales,
    interaction: { mode: "nearest", intersect: true },
    onClick: (event, [picked], chart) => picked && goToRow(pointAt(chart, picked).row),
    onHover: (event, [over]) => {
      event.native.target.style.cursor = over ? "pointer" : "default";
    },
    plugins: {
      legend: { display: false },
      tooltip: {
        displayColors: false,
        // One of the points that lie on each other: the one that a click leads to.
        filter: (item, at) => at === 0,
        callbacks: { title: () => "", label: ({ raw }) => raw.text },
      },
    },
  };
}

// Adds a figure and returns what draws it anew. `describe` gives its datasets, its scales, what to say
// where there is no point and, if not the usual, its height in pixels; `downwards`: the arrow keys
// follow the vertical axis first.
function addFigure(title, describe, downwards = false) {
  const figure = append(document.getElementById("charts"), "figure");
  append(figure, "figcaption", { textContent: title });
  const legend = append(figure, "div", { className: "legend" });
  const plot = append(figure, "div", { className: "plot" });
  const canvas = append(plot, "canvas", { tabIndex: 0 });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label",
    `${title}. Arrow keys go from point to point, Enter to the row of its case.`);
  const told = append(figure, "p", { className: "note", ariaLive: "polite" });
  const hidden = new Set();
  let chart = null;
  const redraw = () => {
    const { datasets, scales, height, empty } = describe();
    plot.hidden = datasets.every(({ data, glyph }) => !glyph || data.length === 0);
    told.textContent = plot.hidden ? empty : "";
    plot.style.height = height ? `${height}px` : "";
    chart?.destroy();
    chart = null;
    legend.replaceChildren();
    if (plot.hidden) return;
    chart = new Chart(canvas, {
      type: "scatter", data: { datasets }, options: chartOptions(scales), plugins: [lineNames],
    });
    drawLegend(legend, chart, hidden);
  };
  canvas.addEventListener("keydown", (event) => handleKey(event, chart, downwards, told));
  redraw();
  redraws.push(redraw);
  return redraw;
}

append(document.getElementById("charts"), "h2", { textContent: "Charts" });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const redraw of redraws) redraw();
});
