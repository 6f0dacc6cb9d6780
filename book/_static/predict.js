/* Predictions that can be clicked, in the rendered book, where no kernel runs.

   The chapter's Markdown is the only source. Under the heading "Predict before you run" a paragraph that begins
   with "(a)" is an option; in the block "Answer" below it, a list item that begins with "(a)" is the reply to it,
   and the first letter that it begins with, as in **(c)**, is the right one. Without scripts all of it reads as it stands.
   What a reader chose is kept in this browser, and nowhere else. */
(() => {
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

  const prepare = (section, number) => {
    const { options, fold, replies, right } = read(section);
    if (options.length < 2 || !right) return;
    const page = location.pathname.split("/").pop();
    const key = `prediction ${page} ${number}`;

    const group = document.createElement("fieldset");
    group.className = "lab-prediction";
    const legend = document.createElement("legend");
    legend.textContent = "Your prediction";
    const reply = document.createElement("div");
    reply.className = "lab-reply";
    reply.setAttribute("role", "status");
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
  };

  document.addEventListener("DOMContentLoaded", () => {
    const headings = [...document.querySelectorAll("section > :is(h2, h3)")];
    headings.filter((one) => one.textContent.trim().startsWith("Predict before you run"))
      .forEach((one, number) => prepare(one.parentElement, number + 1));
  });
})();
