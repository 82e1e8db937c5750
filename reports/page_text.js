// What the charts say: the data of the page, numbers with units, colours of the theme, axes.
"use strict";
const chartData = JSON.parse(document.getElementById("chart-data").textContent);

function threeDigits(value) {
  return String(Number(value.toPrecision(3)));
}

function showSeconds(s) {
  const [unit, factor] =
    s < 1e-6 ? ["ns", 1e9] : s < 1e-3 ? ["µs", 1e6] : s < 1 ? ["ms", 1e3] : ["s", 1];
  return `${threeDigits(s * factor)} ${unit}`;
}

function showRate(perSecond, what) {
  const [unit, factor] = perSecond < 1e12 ? ["G", 1e-9] : ["T", 1e-12];
  return `${threeDigits(perSecond * factor)} ${unit}${what}/s`;
}

// All layers of a model at a position are a shape, and so are their products alone.
function shapeOf(c) {
  if (c.op === "products") return `products of ${c.layers} layers of ${c.k}`;
  return c.layers ? `${c.layers} layers of ${c.k}, position ${c.position}` : `${c.n}×${c.k}`;
}

// What is said of a case wherever it is a point.
function caseText(c) {
  const text = [
    c.variant,
    `${shapeOf(c)}, batch ${c.batch}${c.hot ? ", weights cached" : ""}`,
    showSeconds(c.median_s) + (c.speedup ? `, ${threeDigits(c.speedup)}× dense FP32` : ""),
    `${showRate(c.ops_per_s, "OP")} at ${threeDigits(c.ops_per_byte)} per byte`,
  ];
  if (c.share) text.push(`${threeDigits(100 * c.share)}% of its limit (${c.limiter})`);
  return text;
}

function themeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// The ends of a colour scale are far apart in hue; how light it is, the theme says.
function scaleColor(index, count) {
  const hue = 260 - 260 * (count > 1 ? index / (count - 1) : 0);
  return `hsl(${Math.round(hue)}, 70%, ${themeColor("scale-light")})`;
}

function axis(title, more) {
  return {
    title: { display: title !== "", text: title, color: themeColor("ink") },
    grid: { color: themeColor("line"), borderColor: themeColor("soft") },
    ticks: { color: themeColor("soft"), maxRotation: 0 },
    ...more,
  };
}

// Ends of a log axis that leave some room around values.
function rangeOf(values) {
  return { min: Math.min(...values) / 1.3, max: Math.max(...values) * 1.3 };
}

// Round numbers are labelled: 1, 10, 100; on short axes 2 and 5 as well.
function logAxis(title, show, range = {}) {
  const log = axis(title, { type: "logarithmic", ...range });
  log.ticks.autoSkipPadding = 8;
  log.ticks.callback = function (value) {
    const digit = value.toExponential(6).replace(/\.0+e.*/, "");
    const labelled = this.max / this.min > 100 ? ["1"] : ["1", "2", "5"];
    return labelled.includes(digit) ? show(value) : null;
  };
  return log;
}
