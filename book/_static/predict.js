/* Predictions that can be clicked, and results that wait for them, in the rendered book, where no kernel runs.

   The chapter's Markdown is the only source. Under the heading "Predict before you run" a paragraph that begins
   with "(a)" is an option; in the block "Answer" below it, a list item that begins with "(a)" is the reply to it,
   and the first letter that it begins with, as in **(c)**, is the right one. Without scripts all of it reads as it stands.
   What a reader chose is kept in this browser, and nowhere else.

   Until the reader has chosen, pressed the button or unfolded the answer, what shows the result is hidden: outputs between
   the options and the answer, what is said of them, and what follows the answer in the same section. It can be found in
   the page and linked to, which opens it, and it is printed. */
(() => {
  // While the page is read, no output is seen that a prediction hides once all is there.
  document.documentElement.classList.add("lab-reading");

  const OPTION = /^\s*\(([a-e])\)\s*/;

  const letterOf = (element) => (element.textContent.match(OPTION) || [])[1];

  const kept = (key, letter) => {
    try {
      if (letter) localStorage.setItem(key, letter);
      return localStorage.getItem(key);
    } catch {
      return null; // no storage here: the choice lasts as long as the page
    }
  };

  /* The options, the folded answer, the right letter and the replies of one prediction. */
  const read = (section) => {
    const paragraphs = [...section.querySelectorAll(":scope > p, :scope > div p")].filter(letterOf);
    const folds = [...section.querySelectorAll("details")];
    const fold = folds.find((one) => /^Answer/.test(one.querySelector("summary")?.textContent.trim() ?? ""));
    const options = paragraphs.filter((one) => !fold?.contains(one));
    const replies = {};
    fold?.querySelectorAll("li").forEach((item) => {
      const letter = letterOf(item);
      if (letter) replies[letter] = item;
    });
    const bold = [...(fold?.querySelectorAll("strong, p") ?? [])].map(letterOf).find(Boolean);
    return { options, fold, replies, right: bold };
  };

  /* What shows the result: each output between the options and the answer, whatever comes once an output has been
     spoken of, and all that follows the answer. Code stays: it is what the reader predicts. */
  const results = (section, last, fold) => {
    const found = [];
    let [seen, spoken, answered] = [false, false, false];
    const parts = [...section.children];
    for (const part of parts.slice(parts.findIndex((one) => one.contains(last)) + 1)) {
      const outputs = [...part.querySelectorAll(":scope > .cell_output")];
      if (part.contains(fold)) answered = true;
      else if (answered || spoken) found.push(part);
      else if (part.matches(".cell")) found.push(...outputs);
      else if (seen) {
        spoken = true;
        found.push(part);
      }
      seen ||= outputs.length > 0;
    }
    return found;
  };

  // Where the browser can, its own search and links still find what is hidden.
  const HIDDEN = "onbeforematch" in document.documentElement ? "until-found" : "";

  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = text;
    return made;
  };

  /* Hide `parts` behind a button that stands after `group`; gives what opens them, or null where there is nothing. */
  const curtain = (group, parts, fold) => {
    if (!parts.length) return null;
    const bar = element("div", "lab-curtain", "");
    const button = element("button", "", "Show the result without predicting");
    button.type = "button";
    bar.append(element("p", "", "The result is hidden until you choose."), button);
    group.after(bar);
    const notes = [];
    parts.forEach((part, i) => {
      part.classList.add("lab-result");
      part.setAttribute("hidden", HIDDEN);
      if (i && part.previousElementSibling === parts[i - 1]) return; // one note for a run of parts
      const output = part.matches(".cell_output");
      notes.push(element("p", "lab-hidden", output ? "Result hidden: choose first." : "The text that follows tells the result: choose first."));
      part.before(notes.at(-1));
    });
    const open = () => {
      parts.forEach((part) => part.removeAttribute("hidden"));
      [bar, ...notes].forEach((one) => one.remove());
    };
    parts.forEach((part) => part.addEventListener("beforematch", open));
    fold.addEventListener("toggle", () => {
      if (!fold.open) return;
      const before = fold.getBoundingClientRect().top; // what opens above the answer does not push it away
      open();
      window.scrollBy({ top: fold.getBoundingClientRect().top - before, behavior: "instant" });
    });
    return { open, button, holds: (target) => parts.some((part) => part.hasAttribute("hidden") && part.contains(target)) };
  };

  const prepare = (section, number) => {
    const { options, fold, replies, right } = read(section);
    if (options.length < 2 || !right) return null;
    const hidden = results(section, options.at(-1), fold);
    const page = location.pathname.split("/").pop();
    const key = `prediction ${page} ${number}`;

    const group = document.createElement("fieldset");
    group.className = "lab-prediction";
    const legend = document.createElement("legend");
    legend.textContent = "Your prediction";
    const reply = document.createElement("div");
    reply.className = "lab-reply";
    reply.setAttribute("role", "status");
    reply.tabIndex = -1; // where the button's focus goes
    options[0].before(group);
    group.append(legend);

    const said = document.createElement("p"); // beside the answer: what this reader chose
    said.className = "lab-chosen";

    const choose = (letter) => {
      const good = letter === right;
      group.dataset.state = good ? "right" : "wrong";
      reply.replaceChildren();
      const head = document.createElement("strong");
      head.textContent = good ? `(${letter}) is what happened here. ` : `(${letter}) is not what happened. `;
      reply.append(head);
      if (replies[letter]) {
        const copy = replies[letter].cloneNode(true);
        const first = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT).nextNode();
        if (first) first.nodeValue = first.nodeValue.replace(OPTION, "");
        reply.append(...copy.childNodes);
      } else {
        reply.append(good ? "The figure shows it, and the answer below says why." : "Read on, and look at the figure.");
      }
      said.textContent = `You predicted (${letter}).`;
    };

    const behind = curtain(group, hidden, fold);
    behind?.button.addEventListener("click", () => {
      kept(`${key} shown`, "yes");
      behind.open();
      reply.textContent = "The result is shown below.";
      reply.focus({ preventScroll: true });
    });

    options.forEach((paragraph) => {
      const letter = letterOf(paragraph);
      const label = document.createElement("label");
      const button = document.createElement("input");
      button.type = "radio";
      button.name = key;
      button.value = letter;
      button.addEventListener("change", () => {
        kept(key, letter);
        choose(letter);
        behind?.open();
      });
      const text = document.createElement("span");
      text.append(...paragraph.childNodes);
      label.append(button, text);
      paragraph.replaceWith(label);
      group.append(label);
    });
    group.append(reply);
    fold?.querySelector("summary")?.after(said);

    const before = kept(key);
    const button = [...group.querySelectorAll("input")].find((one) => one.value === before);
    if (button) {
      button.checked = true;
      choose(before);
    }
    if (button || kept(`${key} shown`)) behind?.open();
    return behind;
  };

  document.addEventListener("DOMContentLoaded", () => {
    try {
      const headings = [...document.querySelectorAll("section > :is(h2, h3)")];
      const curtains = headings.filter((one) => one.textContent.trim().startsWith("Predict before you run"))
        .map((one, number) => prepare(one.parentElement, number + 1)).filter(Boolean);
      const aim = () => { // some browsers do not open what a link leads into
        const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
        const closed = target && curtains.find((one) => one.holds(target));
        closed?.open();
        if (closed) target.scrollIntoView();
      };
      window.addEventListener("hashchange", aim);
      aim();
    } finally {
      document.documentElement.classList.remove("lab-reading");
    }
  });
})();
