// DOM helpers. Text is always inserted as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  set(node, properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function set(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
}

/** Write text only if it changed, so that screen readers and selections are not disturbed. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Fill a table's body. The first cell of a row is its header. A cell is text, a node, or {text, className, title}. */
export function fill(table, rows, nothing) {
  const body = table.tBodies[0];
  const columns = table.tHead.rows[0].cells;
  if (rows.length === 0) {
    body.replaceChildren(element("tr", {}, element("td", { colSpan: columns.length, className: "nothing" }, nothing)));
    return;
  }
  body.replaceChildren(
    ...rows.map((cells) => element("tr", {}, ...cells.map((cell, at) => cellOf(cell, at, columns)))),
  );
}

function cellOf(cell, at, columns) {
  const { text, className = "", title = "" } = cell instanceof Node || typeof cell !== "object" ? { text: cell } : cell;
  const numeric = columns[at].classList.contains("n") ? "n " : "";
  const node = element(at === 0 ? "th" : "td", { className: `${numeric}${className}`.trim() }, text);
  if (at === 0) node.scope = "row";
  if (title) node.title = title;
  return node;
}

/** Fill a description list from pairs [term, text, className?, title?]. */
export function facts(list, pairs) {
  list.replaceChildren(
    ...pairs.map(([term, text, className = "", title = ""]) =>
      element("div", {}, element("dt", {}, term), element("dd", { className, title }, text)),
    ),
  );
}

/** Call `act` with the new value when the selection of a group of radio buttons changes. */
export function onChoice(fieldset, act) {
  fieldset.addEventListener("change", () => act(choice(fieldset)));
}

export const choice = (fieldset) => fieldset.querySelector("input:checked").value;
