// Sorting, filtering, and the choice of light and dark. The page says everything without it.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const stored = () => { try { return localStorage.getItem("muster-theme"); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem("muster-theme", theme); } catch { /* a file may have no storage */ } };
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => {
    const other = current() === "dark" ? "Light" : "Dark";
    button.textContent = other;
    button.setAttribute("aria-label", other + " theme");
  };
  if (stored() === "dark" || stored() === "light") root.dataset.theme = stored();
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    keep(root.dataset.theme);
    label();
  });
  dark.addEventListener("change", label);
  label();

  // Charts over time say their values at the pointer, and at the place that the arrow keys move.
  const clock = (seconds) => {
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
    return h ? h + ":" + two(m) + ":" + two(s) : m + ":" + two(s);
  };
  const short = (value) => Number(value.toPrecision(value >= 1000 ? 4 : 3)).toLocaleString("en");
  const said = (value, unit) => unit !== "ms" ? short(value) : value >= 1000 ? short(value / 1000) + " s" : value >= 1 || value === 0 ? short(value) + " ms" : short(value * 1000) + " µs";
  const numbers = (list) => list.split(",").map((text) => text === "" ? null : Number(text));
  for (const plot of document.querySelectorAll(".plot[data-lines]")) {
    const times = numbers(plot.dataset.times);
    const lines = plot.dataset.lines.split(";").map((line) => {
      const at = line.indexOf(":");
      return { name: line.slice(0, at), values: numbers(line.slice(at + 1)) };
    });
    const readout = plot.parentElement.querySelector(".readout");
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.hidden = true;
    plot.append(cursor);
    let place = -1;
    // The drawing that is shown, and where in it the plot begins and ends, as shares of its width.
    const box = () => {
      const shown = [...plot.children].find((child) => child.offsetWidth > 0 && child.dataset.left);
      const width = shown.querySelector("svg").viewBox.baseVal.width;
      return { left: shown.dataset.left / width, right: 1 - shown.dataset.right / width };
    };
    const show = (at) => {
      place = Math.max(0, Math.min(times.length - 1, at));
      const { left, right } = box();
      cursor.hidden = false;
      cursor.style.left = 100 * (left + (right - left) * times[place] / plot.dataset.end) + "%";
      const parts = lines.filter((line) => line.values[place] !== null).map((line) => line.name + " " + said(line.values[place], plot.dataset.unit));
      readout.textContent = clock(times[place]) + "  " + (parts.join(" · ") || "nothing reported");
    };
    const hide = () => { cursor.hidden = true; readout.textContent = ""; };
    plot.addEventListener("pointermove", (event) => {
      const frame = plot.getBoundingClientRect();
      const { left, right } = box();
      const second = ((event.clientX - frame.left) / frame.width - left) / (right - left) * plot.dataset.end;
      let nearest = 0;
      times.forEach((time, at) => { if (Math.abs(time - second) < Math.abs(times[nearest] - second)) nearest = at; });
      show(nearest);
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: times.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      show(moves[event.key]);
    });
  }

  // A number where the cell has one, else its text; what has no number comes last.
  const key = (cell, numbers) => numbers ? (cell.dataset.value === undefined ? null : Number(cell.dataset.value)) : cell.textContent.trim().toLowerCase();
  const compare = (a, b) => a === b ? 0 : a === null ? 1 : b === null ? -1 : typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });

  for (const tools of document.querySelectorAll(".tools")) {
    const table = document.getElementById(tools.dataset.for);
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows];
    const [search, select, status] = [tools.querySelector("input"), tools.querySelector("select"), tools.querySelector("[role=status]")];
    let sorted = { column: -1, down: false };

    const sort = (column, down) => {
      sorted = { column, down };
      const numbers = column >= 0 && heads[column].classList.contains("number");
      const order = rows.map((row, at) => ({ row, at, key: column < 0 ? at : key(row.cells[column], numbers) }));
      order.sort((a, b) => {
        if (a.key === null || b.key === null) return compare(a.key, b.key) || a.at - b.at;
        return (down ? -compare(a.key, b.key) : compare(a.key, b.key)) || a.at - b.at;
      });
      // The sum of all stays on top.
      body.append(...order.map((entry) => entry.row).sort((a, b) => b.classList.contains("all") - a.classList.contains("all")));
      heads.forEach((head, at) => {
        if (at === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      select.value = column < 0 ? "" : String(column);
    };
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) count += 1;
      }
      status.textContent = words.length ? count + " of " + rows.length : "";
    };

    tools.hidden = false;
    heads.forEach((head, at) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.textContent = head.textContent;
      head.replaceChildren(sorter);
      // Numbers begin with the largest: the slowest, the most frequent.
      sorter.addEventListener("click", () => {
        const first = head.classList.contains("number");
        if (sorted.column !== at) sort(at, first);
        else if (sorted.down === first) sort(at, !first);
        else sort(-1, false);
      });
    });
    select.addEventListener("change", () => {
      const column = select.value === "" ? -1 : Number(select.value);
      sort(column, column >= 0 && heads[column].classList.contains("number"));
    });
    search.addEventListener("input", filter);
  }
})();
