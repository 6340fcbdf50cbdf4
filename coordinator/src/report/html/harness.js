// Reads the report in the frame as a reader would, and says what it found.
"use strict";
const frame = document.querySelector("iframe");
const found = { errors: [] };
addEventListener("error", (event) => found.errors.push("outside: " + event.message));
frame.addEventListener("load", () => {
  try {
    const [page, view] = [frame.contentDocument, frame.contentWindow];
    view.addEventListener("error", (event) => found.errors.push("inside: " + event.message));
    page.addEventListener("securitypolicyviolation", (event) => found.errors.push("policy: " + event.violatedDirective));
    const all = (selector) => [...page.querySelectorAll(selector)];
    const rows = (id) => all("#" + id + " tbody tr").filter((row) => !row.hidden);
    const first = (id) => rows(id).map((row) => row.cells[0].textContent.trim());
    const values = (row) => [...row.cells].map((cell) => cell.dataset.value === undefined ? null : Number(cell.dataset.value));
    found.title = page.title;
    found.verdict = page.body.dataset.verdict;
    found.heading = page.querySelector("h1").textContent.trim();
    found.reasons = all("ul.reasons li").map((item) => item.textContent);
    found.cards = Object.fromEntries(all(".cards dd").map((card) => [card.dataset.key, card.dataset.value === undefined ? null : Number(card.dataset.value)]));
    found.thresholds = rows("threshold-table").map((row) => [row.cells[0].querySelector(".pill").dataset.status, row.cells[1].textContent, row.cells[2].textContent, ...values(row).slice(3)]);
    found.requests = rows("request-table").map((row) => [row.cells[0].textContent, ...values(row).slice(2)]);
    found.failures = rows("error-table").map((row) => [Number(row.cells[0].dataset.value), row.cells[1].textContent, row.cells[2].textContent]);
    // Elements that no page of ours has, however it came by them; the two that it has are counted.
    found.strangers = all("img, iframe, object, embed, form, base, audio, video, a[href^='javascript'], [onload], [onerror], [onclick]").length;
    found.scripts = all("script").length;
    found.styles = all("style").length;
    found.charts = all("figure").map((figure) => figure.querySelectorAll("svg polyline, svg rect").length);
    found.outside = all("[src], link[href], a[href]").map((element) => element.getAttribute("src") || element.getAttribute("href")).filter((target) => !target.startsWith("#") && target !== "data:,");
    found.wide = page.documentElement.scrollWidth <= view.innerWidth;
    found.unlabelled = all("button, input, select").filter((control) => !(control.textContent.trim() || control.closest("label") || control.getAttribute("aria-label"))).length;

    const plot = page.querySelector("#chart-latency .plot");
    const readout = page.querySelector("#chart-latency .readout");
    plot.dispatchEvent(new view.KeyboardEvent("keydown", { key: "End" }));
    found.readout = readout.textContent;
    plot.dispatchEvent(new view.Event("blur"));
    found.quiet = readout.textContent === "";

    const theme = page.getElementById("theme");
    const colour = () => view.getComputedStyle(page.body).backgroundColor;
    const before = colour();
    theme.click();
    found.themed = before !== colour() && page.documentElement.dataset.theme === "dark";
    theme.click();
    const sorter = (at) => all("#request-table thead button")[at];
    sorter(2).click();
    found.sorted = rows("request-table").map((row) => values(row)[2]);
    found.aria = all("#request-table th[aria-sort]").map((head) => head.getAttribute("aria-sort"));
    sorter(0).click();
    found.named = first("request-table");
    const tools = page.querySelector(".tools[data-for=request-table]");
    const input = tools.querySelector("input");
    input.value = "login";
    input.dispatchEvent(new view.Event("input"));
    found.filtered = first("request-table");
    found.status = tools.querySelector("[role=status]").textContent;
  } catch (error) {
    found.errors.push("harness: " + error.stack);
  }
  document.getElementById("found").textContent = JSON.stringify(found);
});
frame.src = "/report.html";
