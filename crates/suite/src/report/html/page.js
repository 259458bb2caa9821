(() => {
  "use strict";
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    let copied = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // Pages from a file may not use the clipboard: the text is selected and copied the old way.
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  for (const button of all("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }

  const form = document.getElementById("filter");
  if (!form) return;
  form.hidden = false;
  const groups = all(".group").map((node) => ({
    node,
    words: all(":scope > :not(.all)", node).map((part) => part.textContent).join("\n").toLowerCase(),
    tests: all(".tests li", node).map((item) => ({ item, words: item.textContent.toLowerCase() })),
    details: node.querySelector("details.all"),
    wasOpen: node.querySelector("details.all")?.open,
  }));
  const output = form.querySelector("output");
  const apply = () => {
    const data = new FormData(form);
    const text = (data.get("text") || "").toLowerCase().trim();
    const keys = ["verdict", "class", "cause", "owner"].filter((key) => data.get(key));
    const isNew = data.get("new") !== null;
    const isOn = text !== "" || keys.length > 0 || isNew;
    let shown = 0;
    let total = 0;
    for (const group of groups) {
      let here = 0;
      const inGroup = text === "" || group.words.includes(text);
      for (const { item, words } of group.tests) {
        const fits = keys.every((key) => item.dataset[key] === data.get(key))
          && (!isNew || item.dataset.new === "1")
          && (inGroup || words.includes(text));
        item.hidden = !fits;
        here += fits ? 1 : 0;
        total += 1;
      }
      group.node.hidden = here === 0;
      if (group.details) group.details.open = isOn ? here > 0 && here <= 20 : group.wasOpen;
      shown += here;
    }
    output.textContent = isOn ? `${shown} of ${total} tests` : "";
  };
  form.addEventListener("input", apply);
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
