// Made of web/docs.ts by deno task build:web.
// web/dom.ts
function byId(id, kind) {
  const element2 = document.getElementById(id);
  if (!(element2 instanceof kind)) throw new TypeError(`the page has no ${kind.name} #${id}`);
  return element2;
}
function write(id, text) {
  byId(id, HTMLElement).textContent = text;
}

// web/docs.ts
function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}
function showRest() {
  SwaggerUIBundle({
    url: "/openapi.json",
    domNode: byId("rest-api", HTMLElement),
    deepLinking: false,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    supportedSubmitMethods: [
      "get",
      "post"
    ],
    tryItOutEnabled: true
  });
}
function resolve(contract, node) {
  if (!("$ref" in node)) return node;
  const path = node.$ref.slice(2).split("/");
  const found = path.reduce((at, part) => at && typeof at === "object" ? Reflect.get(at, part) : void 0, contract);
  if (!found) throw new TypeError(`${node.$ref} leads nowhere`);
  return resolve(contract, found);
}
function words(schema = {}) {
  if (schema.const !== void 0) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return union.map((part) => words(part)).join(" | ");
  if (schema.type === "array") return `[${words(schema.items)}, \u2026]`;
  if (schema.type === "object" && schema.properties) {
    const members2 = Object.entries(schema.properties);
    return `{ ${members2.map(([name, value]) => `${name}: ${words(value)}`).join(", ")} }`;
  }
  const { type = "anything", minimum = -Infinity, maximum = Infinity } = schema;
  const from = minimum > Number.MIN_SAFE_INTEGER ? ` from ${minimum}` : "";
  const to = maximum < Number.MAX_SAFE_INTEGER ? ` to ${maximum}` : "";
  return type + from + to;
}
function members({ properties = {}, required = [] }, name) {
  const rows = Object.entries(properties).map(([member, value]) => element("tr", element("td", element("code", member)), element("td", required.includes(member) ? "always" : "optional"), element("td", words(value))));
  if (rows.length === 0) return "";
  const caption = element("caption", `Members of ${name}`);
  caption.className = "hidden";
  const heads = [
    "member",
    "there",
    "value"
  ].map((text) => element("th", text));
  return element("table", caption, element("thead", element("tr", ...heads)), element("tbody", ...rows));
}
function card(title, ...children) {
  const made = element("article", element("h3", title), ...children);
  made.className = "card";
  return made;
}
async function showStream() {
  const answer = await fetch("/asyncapi.json");
  if (!answer.ok) throw new Error(`/asyncapi.json answered ${answer.status}`);
  const contract = await answer.json();
  const channels = Object.values(contract.channels ?? {}).map(({ address, description, bindings }) => {
    const query = bindings?.ws?.query;
    const table = query ? [
      element("h3", "Query"),
      members(resolve(contract, query), "the query")
    ] : [];
    return card(address, element("p", description), ...table);
  });
  const operations = Object.values(contract.operations ?? {}).map(({ action, summary, messages = [] }) => card(summary ?? action, ...messages.flatMap((reference) => {
    const { name, summary: summary2 = "", payload = {} } = resolve(contract, reference);
    const table = members(resolve(contract, payload), name);
    return [
      element("h3", element("code", name)),
      element("p", summary2),
      table
    ];
  })));
  byId("stream-api", HTMLElement).replaceChildren(...channels, ...operations);
}
var dark = matchMedia("(prefers-color-scheme: dark)");
var followTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followTheme);
followTheme();
showRest();
showStream().catch((error) => {
  byId("stream-api", HTMLElement).replaceChildren();
  write("problem", `The stream's contract cannot be shown: ${error.message}.`);
  byId("problem", HTMLElement).hidden = false;
});
