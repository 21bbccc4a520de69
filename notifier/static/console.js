// Keeps a page of the console live: replaces its fragment when the server says that something changed,
// counts times on, and sends forms without leaving the page. Without it everything works by reloading.
"use strict";

(() => {
  const korean = document.documentElement.lang === "ko";
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");

  // Times. The server's clock counts, not this machine's.
  const clockOf = (node) => Number(node?.querySelector("[data-now]")?.dataset.now ?? Date.now());
  let ahead = live ? clockOf(live) - Date.now() : 0;
  const now = () => Date.now() + ahead;

  const ago = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    const m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (korean) {
      if (s < 60) return `${s}초`;
      if (m < 60) return `${m}분`;
      return h < 48 ? `${h}시간 ${m % 60}분` : `${d}일 ${h % 24}시간`;
    }
    if (s < 60) return `${s} s`;
    if (m < 60) return `${m} min`;
    return h < 48 ? `${h} h ${m % 60} min` : `${d} d ${h % 24} h`;
  };
  const count = (ms) => {
    const s = Math.floor(Math.abs(ms) / 1000);
    const two = (n) => String(n).padStart(2, "0");
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    return (ms < 0 ? "+" : "") + (h ? `${h}:${two(m)}` : m) + `:${two(s % 60)}`;
  };
  const tick = () => {
    for (const node of document.querySelectorAll("[data-since]")) {
      node.textContent = ago(now() - Number(node.dataset.since));
    }
    for (const node of document.querySelectorAll("[data-due]")) {
      const left = Number(node.dataset.due) - now();
      node.textContent = count(left);
      node.classList.toggle("late", left < 0);
      node.classList.toggle("soon", left >= 0 && left < 120000);
    }
  };
  const local = (root) => {
    const style = new Intl.DateTimeFormat(document.documentElement.lang, {
      month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    });
    for (const node of root.querySelectorAll("time[data-at]")) {
      node.textContent = style.format(new Date(Number(node.dataset.at)));
    }
  };

  // The fragment.
  let loading = false, again = false, ended = false;
  const refresh = async () => {
    if (!live || ended) return;
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await fetch(live.dataset.fragment, { headers: { accept: "text/html" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") { ended = true; location.reload(); return; }
      if (answer.ok) show(await answer.text());
    } catch { /* The stream tells that the server is gone. */ }
    loading = false;
    if (again) { again = false; refresh(); }
  };
  const show = (html) => {
    const known = new Set([...live.querySelectorAll("[data-key]")].map((node) => node.dataset.key));
    const focus = document.activeElement?.closest("[data-key]")?.dataset.key;
    const button = document.activeElement?.getAttribute("name");
    const open = document.activeElement?.tagName === "INPUT";
    if (open) return;
    live.innerHTML = html;
    ahead = clockOf(live) - Date.now();
    for (const node of live.querySelectorAll("[data-key]")) {
      if (known.size && !known.has(node.dataset.key)) node.classList.add("fresh");
      if (focus && node.dataset.key === focus) {
        (node.querySelector(`button[name="${button}"]`) ?? node.querySelector("a"))?.focus({ preventScroll: true });
      }
    }
    const title = live.querySelector("[data-title]")?.dataset.title;
    if (title) document.title = title;
    local(live);
    tick();
  };

  // The stream.
  let timer;
  const soon = () => { clearTimeout(timer); timer = setTimeout(refresh, 120); };
  const say = (state) => {
    if (!pulse) return;
    pulse.dataset.state = state;
    pulse.textContent = pulse.dataset[state];
  };
  if (live && "EventSource" in window) {
    const stream = new EventSource("/events");
    stream.addEventListener("hello", () => { say("live"); soon(); });
    stream.addEventListener("change", soon);
    stream.onerror = () => say("lost");
  }

  // Forms.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!live?.contains(form) || !form.hasAttribute("data-quick")) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
      if (answer.type !== "opaqueredirect" && !answer.ok) location.reload();
      else refresh();
    } catch { button.disabled = false; say("lost"); }
  });

  local(document);
  tick();
  setInterval(tick, 1000);
})();
