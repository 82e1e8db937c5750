#!/usr/bin/env python3
"""Opens the page of a report in headless Chromium, from disk, and uses it.

  scripts/test_page.py build/ci                    the page of a short run
  scripts/test_page.py build/ci --report R.json    the page of that report
  ... --screenshots FOLDER                         also keeps pictures of it

Wide and narrow, light and dark: no error on the console, every chart drawn, nothing wider than the
screen; by keyboard and by mouse, a point leads to its row. Without JavaScript, the tables are there.
Then the same report blown up to 2,000 cases: that page opens as well, and how long it takes is told.
"""

import argparse
import base64
import contextlib
import copy
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-quic", "--hide-scrollbars", "--remote-debugging-pipe"]
PATIENCE_S = 60  # for one answer of the browser
MANY_CASES = 2000
WIDTHS = {1280: 900, 400: 800}  # and heights, in pixels


class Browser:
    """Chromium's DevTools protocol over its pipe: messages of JSON that end with a zero byte."""

    def __init__(self, program, profile):
        to_child, self.out = os.pipe()
        self.input, from_child = os.pipe()

        def place():  # the browser reads from descriptor 3 and writes to 4
            keep = [os.dup(to_child), os.dup(from_child)]
            os.dup2(keep[0], 3)
            os.dup2(keep[1], 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place, pass_fds=(3, 4),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.count, self.buffer, self.session = 0, b"", None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def receive(self):
        deadline = time.monotonic() + PATIENCE_S
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self.input, 1 << 20)
            if not part:
                raise EOFError("the browser ended")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def navigate(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

    def open(self, url):
        """Seconds until the page was loaded, all its scripts run, and painted."""
        self.navigate("about:blank")
        start = time.monotonic()
        self.navigate(url)
        self.painted()
        return time.monotonic() - start

    def painted(self):
        self.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def key(self, name):
        text = {"Enter": "\r"}.get(name, "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name)

    def click(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.painted()  # the chart library waits for a frame as well

    def picture(self, path, whole=False):
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        with contextlib.suppress(OSError):  # it may have ended already
            self.session = None
            self.call("Browser.close")
        self.process.wait(timeout=PATIENCE_S)

    def complaints(self):
        """What the console says, exceptions, and requests for anything but the page."""
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                yield params["exceptionDetails"].get("exception", {}).get("description", "exception")
            elif method == "Runtime.consoleAPICalled":
                yield f"console: {params['args']}"
            elif method == "Log.entryAdded":
                yield f"{params['entry']['level']}: {params['entry']['text']}"
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "about:", "data:")):
                    yield f"request for {url}"


failures = []


def expect(what, holds, found=""):
    if not holds:
        failures.append(what)
        print(f"FAIL {what}{f': {found}' if found else ''}")


def look(browser, url, width, scheme, figures, screenshots):
    """One size and theme: errors, charts, width; returns seconds to open."""
    name = f"{width} px, {scheme}"
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=WIDTHS[width],
                 deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
    seconds = browser.open(url)
    complaints = list(browser.complaints())
    expect(f"{name}: no errors on the console", not complaints, complaints[:3])
    drawn = browser.value("document.documentElement.dataset.charts")
    expect(f"{name}: {figures} charts", drawn == str(figures), drawn)
    blank = browser.value(BLANK)
    expect(f"{name}: every chart shows something", blank == 0, blank)
    wide = browser.value("document.documentElement.scrollWidth")
    expect(f"{name}: nothing is wider than the screen", wide <= width, wide)
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        browser.picture(screenshots / f"{width}-{scheme}-top.png")
        for i in range(figures):
            browser.value(f"document.querySelectorAll('figure')[{i}].scrollIntoView()")
            browser.picture(screenshots / f"{width}-{scheme}-{i}.png")
    return seconds


# How many canvases in sight hold a single colour.
BLANK = """[...document.querySelectorAll(".plot:not([hidden]) canvas")].filter((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size < 2;
}).length"""

# Where a point of the first chart is in the window.
A_POINT = """(() => {
  const canvas = document.querySelector("canvas");
  canvas.scrollIntoView({ block: "center" });
  const chart = Chart.getChart(canvas);
  const [point] = pointsInOrder(chart, false);
  const box = canvas.getBoundingClientRect();
  return { x: box.x + point.element.x, y: box.y + point.element.y };
})()"""
# Where the focus is, if the address says the same.
AT_ROW = "location.hash === '#' + document.activeElement.id && document.activeElement.tagName"


def use(browser, url):
    """By mouse, by keyboard, without JavaScript."""
    browser.open(url)
    point = browser.value(A_POINT)
    browser.click(point["x"], point["y"])
    expect("a click leads to a row", browser.value(AT_ROW) == "TR", browser.value("location.hash"))

    browser.open(url)
    tabs = 0
    while browser.value("document.activeElement.tagName") != "CANVAS" and tabs < 50:
        browser.key("Tab")
        tabs += 1
    for name in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        browser.key(name)
    told = browser.value("document.querySelector('figure [aria-live]').textContent")
    expect("arrow keys tell the point", "GOP/s" in told or "TOP/s" in told, told)
    browser.key("Enter")
    expect("Enter leads to a row", browser.value(AT_ROW) == "TR", browser.value("location.hash"))
    expect("using it gives no errors", not list(browser.complaints()), list(browser.complaints())[:3])

    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.navigate(url)
    rows = browser.value("document.querySelectorAll('tbody tr').length")
    expect("without JavaScript the tables are there", rows > 10, rows)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


def report_of(build, folder):
    """Of a run of half a minute: in less, a busy machine times nothing."""
    report = folder / "report.json"
    subprocess.run([build / "rotor-bench", "--suite", "all", "--device", "cpu", "--budget", "30s",
                    "--out", report], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return report


def page_of(build, report, folder):
    page = folder / f"{report.stem}.html"
    subprocess.run([build / "rotor-bench", "show", report, "--out", page], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return page


def blown_up(report, folder):
    """The report with its timed cases again and again, on wider and wider matrices, until
    MANY_CASES are timed."""
    data = json.loads(report.read_text())
    timed = [result for result in data["results"] if result["perf"]]
    for i in range(MANY_CASES - len(timed)):
        again = copy.deepcopy(timed[i % len(timed)])
        case, shape = again["case"], again["case"]["shape"]
        shape["n"] += 16 * (1 + i // len(timed))
        end = "/hot" if case["id"].endswith("/hot") else ""
        case["id"] = (f"{case['backend']}/{case['variant']}/n{shape['n']}_k{shape['k']}"
                      f"_b{shape['batch']}{end}")
        data["results"].append(again)
    many = folder / "many.json"
    many.write_text(json.dumps(data))
    return many


def open_many(browser, build, report, folder, screenshots):
    """Seconds to open a page of MANY_CASES cases, the least of three."""
    page = page_of(build, blown_up(report, folder), folder)
    seconds = [look(browser, page.as_uri(), width, "light", expected_figures(page),
                    screenshots / "many" if screenshots else None) for width in (1280, 400, 1280)]
    rows = browser.value("document.querySelectorAll('tbody tr').length")
    expect(f"{MANY_CASES} cases have rows", rows >= MANY_CASES, rows)
    return min(seconds)


def expected_figures(page):
    """Rooflines, two of variants, one of the KV cache: as the page's data has them."""
    text = page.read_text()
    begin = text.index('id="chart-data">') + len('id="chart-data">')
    data = json.loads(text[begin : text.index("</script>", begin)])
    timed = {case["device"] for case in data["cases"]}
    return len(timed) + (2 if timed else 0) + (1 if data["kv"] else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path)
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("page: not run: chromium is not installed")
        return 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        report = options.report or report_of(options.build, folder)
        page = page_of(options.build, report, folder)
        if 'id="chart-data"' not in page.read_text():
            print("page: not run: the build has no chart library (libjs-chart.js)")
            return 0
        figures = expected_figures(page)
        browser = Browser(program, folder / "profile")
        seconds = [look(browser, page.as_uri(), width, scheme, figures, options.screenshots)
                   for width in WIDTHS for scheme in ("light", "dark")]
        use(browser, page.as_uri())
        many = open_many(browser, options.build, report, folder, options.screenshots)
        browser.close()
    print(f"page: {figures} charts, opened in {min(seconds):.2f} to {max(seconds):.2f} s; "
          f"{MANY_CASES} cases in {many:.2f} s, "
          f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
