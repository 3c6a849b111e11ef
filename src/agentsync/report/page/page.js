// The filter: it hides what does not match, and opens what contains a match. Without it, the page has everything too.
"use strict";
{
  const bar = document.getElementById("filter");
  const [words, state, target] = ["words", "state", "target"].map((name) => document.getElementById(name));
  const found = document.getElementById("found");
  const again = document.getElementById("again");
  const rows = [...document.querySelectorAll("[data-s]")].map((row) => ({ row, tokens: row.dataset.s.split(" ") }));
  const folds = [...document.querySelectorAll("main details.fold")]
    .map((fold) => ({ fold, open: fold.open, rows: fold.querySelectorAll("[data-s]") }))
    .filter((one) => one.rows.length);
  let active = false;

  const textOf = (one) => {
    if (one.text === undefined) {
      // A cause is found by the words of its code, too.
      const code = one.row.className === "cause" ? one.row.closest("section > .fold").firstElementChild.textContent : "";
      one.text = `${code} ${one.row.textContent}`.toLowerCase();
    }
    return one.text;
  };

  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const number = target.value && String(target.selectedIndex - 1);
    const fits = (token) =>
      (!state.value || token[0] === "*" || state.value.includes(token[0])) && (!number || token.slice(1) === number);
    if (!active) for (const one of folds) one.open = one.fold.open;
    active = Boolean(wanted.length || state.value || number);
    const numbers = { agents: 0, diagnostics: 0, differences: 0 };
    for (const one of rows) {
      const chosen = (!state.value && !number) || one.tokens.some(fits);
      one.row.hidden = active && !(chosen && wanted.every((word) => textOf(one).includes(word)));
      if (!one.row.hidden) numbers[one.row.closest("section").getAttribute("aria-labelledby")] += 1;
    }
    for (const { fold, open, rows: inside } of folds) {
      const matches = [...inside].some((row) => !row.hidden);
      fold.hidden = active && !matches;
      fold.open = active ? matches : open;
    }
    found.textContent = active
      ? `Matching: ${counted(numbers.agents, "agent")}, ${counted(numbers.diagnostics, "cause")}, ${counted(numbers.differences, "file")}.`
      : "";
    const query = new URLSearchParams([words, state, target].filter((one) => one.value).map((one) => [one.id, one.value]));
    const path = active ? `/?${query}` : "/";
    history.replaceState(null, "", path + location.hash);
    again.href = path;
  };

  const reveal = () => {
    const shown = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let one = shown?.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
    shown?.scrollIntoView();
  };

  let timer = 0;
  bar.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 100);
  });
  addEventListener("hashchange", reveal);
  const asked = new URLSearchParams(location.search);
  for (const field of [words, state, target]) field.value = asked.get(field.id) ?? "";
  bar.hidden = false;
  apply();
  reveal();
}
