// Time per token against position, with the KV cache and without.
"use strict";
function setupOf(t) {
  return `${t.model}, ${t.device}, ${t.format} rows`;
}

// One line: `key` says which time, with the cache or without.
function kvLine(setup, index, how, key, hollow) {
  const label = `${setup}: ${how}`;
  const timings = chartData.kv.filter((t) => setupOf(t) === setup && t[key]);
  const points = timings.map((t) => ({
    x: t.position,
    y: t[key],
    row: t.row,
    text: [label, `position ${t.position}: ${showSeconds(t[key])} per token`],
  }));
  const drawn = series(label, points, themeColor(`series-${index % 4}`), index, hollow);
  return { ...drawn, showLine: true, borderDash: hollow ? [5, 4] : [] };
}

function describeKv() {
  const setups = [...new Set(chartData.kv.map(setupOf))];
  const datasets = setups.flatMap((setup, index) => [
    kvLine(setup, index, "with cache", "with_s", false),
    kvLine(setup, index, "without", "without_s", true),
  ]);
  const times = chartData.kv.flatMap((t) => [t.with_s, t.without_s]).filter(Boolean);
  return {
    datasets,
    scales: {
      x: logAxis("position in the text", threeDigits, rangeOf(chartData.kv.map((t) => t.position))),
      y: logAxis("time per token", showSeconds, rangeOf(times)),
    },
  };
}

if (chartData.kv.length > 0) addFigure("Time per token against position", describeKv);
// For tests: every script ran to its end, and this many figures stand.
document.documentElement.dataset.charts = redraws.length;
